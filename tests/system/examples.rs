//! Every folder of `examples/` builds.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use zoea_tests::{Actor, Need, Zoea, ready, skopeo};

/// Returns the folder of all examples.
fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

/// Copies an example to where every user can read it.
pub(crate) fn copy(zoea: &Zoea, name: &str) -> Result<PathBuf> {
    let files = fs::read_dir(examples().join(name))?.collect::<Result<Vec<_>, _>>()?;
    let mut texts = Vec::new();
    for file in files {
        texts.push((file.file_name().to_string_lossy().into_owned(), fs::read_to_string(file.path())?));
    }
    let texts: Vec<_> = texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    zoea.context(&texts)
}

#[test]
fn the_quickstart_builds_for_anybody() -> Result<()> {
    if !ready("the_quickstart_builds_for_anybody", &[Need::Program("skopeo")]) {
        return Ok(());
    }
    let mut digests = BTreeSet::new();
    for actor in [Actor::Root, Actor::User, Actor::Stranger] {
        let zoea = Zoea::new(actor)?;
        let context = copy(&zoea, "quickstart")?;
        let image = zoea.home().join("quickstart.tar");
        let output = format!("type=oci,dest={}", image.display());
        zoea.build(&context, &["-o", &output, "--source-date-epoch", "1700000000"])?.success()?;
        let image = format!("oci-archive:{}", image.display());
        assert_eq!(
            skopeo::config(&image)?["config"]["Labels"]["org.opencontainers.image.title"],
            "quickstart"
        );
        digests.insert(skopeo::inspect(&image)?["Digest"].to_string());
    }
    assert_eq!(digests.len(), 1, "{digests:?}");
    Ok(())
}

#[test]
fn every_example_has_a_test() -> Result<()> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(examples())? {
        names.insert(entry?.file_name().to_string_lossy().into_owned());
    }
    // The modules `compile` and `executor` build debian-gcc and tutorial.
    let tested = ["debian-gcc", "quickstart", "tutorial"].map(str::to_owned);
    assert_eq!(names, BTreeSet::from(tested));
    Ok(())
}
