//! What can be asked of a Dockerfile without building it: `--check`, `--call` and `--dry-run`.

use anyhow::Result;
use serde_json::Value;
use zoea_tests::{Actor, Base, Need, Registry, Zoea, ready};

const DOCKERFILE: &str = "# what the build is for\nARG KIND=small\nFROM scratch AS base\nARG KIND\nENV A=$Q\n\
                          # out is what people want\nFROM base AS out\nCOPY Dockerfile /\n";

#[test]
fn checks_complain_and_fail() -> Result<()> {
    let zoea = Zoea::new(Actor::Root)?;
    let context = zoea.context(&[("Dockerfile", DOCKERFILE)])?;
    let complaint = zoea.build(&context, &["--check"])?;
    let text = complaint.stdout.clone();
    complaint.failure(1, &[])?;
    assert!(text.contains("UndefinedVar") && text.contains(">>> ENV A=$Q"), "{text}");
    let json = zoea.build(&context, &["--call=check,format=json"])?;
    let report: Value = serde_json::from_str(&json.stdout)?;
    json.failure(1, &[])?;
    assert_eq!(report["warnings"][0]["ruleName"], "UndefinedVar");

    let clean = zoea.context(&[("Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")])?;
    let clean = zoea.build(&clean, &["--check"])?.success()?;
    assert_eq!(clean.stdout, "Check complete, no warnings found.\n");
    Ok(())
}

#[test]
fn complaints_fail_a_build_that_asks_for_it() -> Result<()> {
    let zoea = Zoea::new(Actor::Root)?;
    let text = format!("# check=error=true\n{DOCKERFILE}");
    let context = zoea.context(&[("Dockerfile", &text)])?;
    zoea.build(&context, &[])?.failure(65, &["UndefinedVar", "line 6"])?;
    let skip = "BUILDKIT_DOCKERFILE_CHECK=skip=UndefinedVar;error=true";
    zoea.build(&context, &["--build-arg", skip])?.success()?;
    Ok(())
}

#[test]
fn outline_and_targets_are_told() -> Result<()> {
    let zoea = Zoea::new(Actor::Root)?;
    let context = zoea.context(&[("Dockerfile", DOCKERFILE)])?;
    let outline =
        zoea.build(&context, &["--call=outline,format=json", "--build-arg", "KIND=big"])?.success()?;
    let outline: Value = serde_json::from_str(&outline.stdout)?;
    assert_eq!((&outline["name"], &outline["args"][0]["value"]), (&"out".into(), &"big".into()));
    let targets = zoea.build(&context, &["--call=targets"])?.success()?.stdout;
    assert!(targets.contains("out (default)") && targets.contains("is what people want"), "{targets}");
    Ok(())
}

#[test]
fn a_dry_run_tells_and_does_nothing() -> Result<()> {
    if !ready("a_dry_run_tells_and_does_nothing", &[Need::Program("docker-registry")]) {
        return Ok(());
    }
    let zoea = Zoea::new(Actor::Root)?;
    let registry = Registry::start()?;
    let base = registry.put(Base::Busybox)?;
    let context = zoea.context(&[("Dockerfile", &format!("FROM {base}\nRUN exit 9\n"))])?;
    let text = zoea.build(&context, &["--dry-run"])?.success()?.stdout;
    assert!(text.contains("run \"/bin/sh\" [\"-c\", \"exit 9\"]"), "{text}");
    let plans = zoea.build(&context, &["--dry-run=json", "--platform", "linux/amd64"])?.success()?;
    let plans: Value = serde_json::from_str(&plans.stdout)?;
    assert_eq!(plans[0]["plan"]["stages"][0]["steps"][0]["history"]["empty_layer"], false, "{plans:#}");
    let layers = registry.biggest_blob()?;
    let layer = layers.parent().and_then(|path| path.file_name()).and_then(|name| name.to_str());
    let requests = registry.requests()?;
    let asked = requests
        .iter()
        .any(|request| layer.is_some_and(|layer| request.contains(layer) && request.starts_with("GET")));
    assert!(!asked, "a layer was fetched: {requests:#?}");
    Ok(())
}
