//! Stages: which are built, where they start, and what they are called.

use anyhow::Result;
use zoea_tests::{Actor, Base, Need, Zoea, ready};

use crate::result::{Built, with_base, words};

/// Builds on a machine where the tests may be anybody: no step runs in these.
fn zoea(test: &str) -> Result<Option<Zoea>> {
    if ready(test, &[Need::Program("skopeo")]) { Ok(Some(Zoea::new(Actor::Root)?)) } else { Ok(None) }
}

#[test]
fn stages_are_taken_by_name_and_by_number() -> Result<()> {
    let Some(zoea) = zoea("stages_are_taken_by_name_and_by_number")? else { return Ok(()) };
    let text = "FROM scratch AS One\nCOPY Dockerfile /one\nFROM scratch\nCOPY --from=one /one /two\n\
                FROM scratch\nCOPY --from=1 /two /three\nFROM scratch AS last\nCOPY --from=0 / /all/\n";
    let names = |target: &[&str]| -> Result<Vec<String>> {
        let list = Built::of(&zoea, text, target)?.top_layer()?;
        Ok(list.iter().filter_map(|line| line.split(' ').next_back().map(str::to_owned)).collect())
    };
    assert_eq!(names(&[])?, ["all/", "all/one"]);
    assert_eq!(names(&["--target", "2"])?, ["three"]);
    assert_eq!(names(&["--target", "ONE"])?, ["one"]);
    let context = zoea.context(&[("Dockerfile", text)])?;
    zoea.build(&context, &["--target", "lost"])?.failure(65, &["lost", "hint: "])?;
    Ok(())
}

#[test]
fn stages_that_nobody_needs_are_not_built() -> Result<()> {
    let Some(zoea) = zoea("stages_that_nobody_needs_are_not_built")? else { return Ok(()) };
    let text =
        "FROM 127.0.0.1:1/nowhere AS lost\nCOPY no-such-file /\nRUN false\nFROM scratch\nCOPY Dockerfile /\n";
    assert_eq!(Built::of(&zoea, text, &[])?.layers()?.len(), 1);
    Ok(())
}

#[test]
fn a_stage_goes_on_where_another_ended() -> Result<()> {
    let Some(zoea) = zoea("a_stage_goes_on_where_another_ended")? else { return Ok(()) };
    let text =
        "FROM scratch AS first\nENV A=1\nCOPY Dockerfile /a\nFROM first\nENV B=$A$A\nCOPY Dockerfile /b\n";
    let built = Built::of(&zoea, text, &[])?;
    assert_eq!(built.layers()?.len(), 2);
    assert_eq!(built.config()?["config"]["Env"].to_string().matches("B=11").count(), 1);
    Ok(())
}

#[test]
fn arguments_choose_the_base() -> Result<()> {
    let Some(zoea) = zoea("arguments_choose_the_base")? else { return Ok(()) };
    let text = "ARG BASE=scratch\nARG EMPTY\nFROM ${EMPTY:-$BASE} AS a\nARG BASE\nARG WORD=none\n\
                LABEL base=$BASE word=${WORD:+given}-$WORD\n";
    let labels = |arguments: &[&str]| -> Result<String> {
        Ok(Built::of(&zoea, text, arguments)?.config()?["config"]["Labels"].to_string())
    };
    assert_eq!(labels(&[])?, r#"{"base":"scratch","word":"given-none"}"#);
    assert_eq!(labels(&["--build-arg", "WORD="])?, r#"{"base":"scratch","word":"-"}"#);
    let context = zoea.context(&[("Dockerfile", text)])?;
    let lost = ["--build-arg", "BASE=127.0.0.1:1/lost"];
    zoea.build(&context, &lost)?.failure(75, &["127.0.0.1:1/lost", "Dockerfile:3"])?;
    Ok(())
}

#[test]
fn what_a_base_asks_of_its_children_is_done() -> Result<()> {
    let needs = [Need::Program("skopeo"), Need::Base(Base::Busybox), Need::Root];
    if !ready("what_a_base_asks_of_its_children_is_done", &needs) {
        return Ok(());
    }
    let zoea = Zoea::new(Actor::Root)?;
    let base = with_base(Base::Busybox)?;
    let text = "FROM base\nONBUILD COPY Dockerfile /copied\nONBUILD RUN test -e /copied && echo ran > /ran\n";
    let context = zoea.context(&[("Dockerfile", text)])?;
    zoea.build(&context, &[&words(&base)[..], &["-t", "localhost/parent:1"]].concat())?.success()?;
    let built = Built::of(&zoea, "FROM localhost/parent:1\nRUN rm /copied\n", &[])?;
    assert_eq!(built.layers()?.len(), 4);
    assert!(built.config()?["config"]["OnBuild"].is_null());
    Ok(())
}
