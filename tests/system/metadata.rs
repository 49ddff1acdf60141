//! What a Dockerfile says about an image, read back by skopeo.

use anyhow::Result;
use serde_json::{Value, json};
use zoea_tests::{Actor, Need, Zoea, ready};

use crate::result::Built;

const DOCKERFILE: &str = r#"FROM scratch
MAINTAINER Ann Other <ann@example.org>
ARG VERSION=1.2
ENV PATH=/bin NAME="two words" VERSION=$VERSION
ENV LEGACY old form
LABEL org.example.version=$VERSION quoted="a \"b\""
EXPOSE 80 53/udp
VOLUME ["/data", "/more data"]
VOLUME /third
WORKDIR /srv
WORKDIR deep
USER 12:34
STOPSIGNAL SIGUSR1
SHELL ["/bin/sh", "-ec"]
HEALTHCHECK --interval=5s --timeout=1m --start-period=10s --retries=3 CMD test -e /ok
ONBUILD RUN echo child
ENTRYPOINT exec /program
CMD ["--help", "$NAME"]
"#;

#[test]
fn every_instruction_is_in_the_configuration() -> Result<()> {
    if !ready("every_instruction_is_in_the_configuration", &[Need::Program("skopeo")]) {
        return Ok(());
    }
    let zoea = Zoea::new(Actor::Root)?;
    let arguments =
        ["--label", "given=yes", "--source-date-epoch", "1700000000", "--platform", "linux/arm64"];
    let built = Built::of(&zoea, DOCKERFILE, &arguments)?;
    let image = built.config()?;
    assert_eq!(image["author"], "Ann Other <ann@example.org>");
    assert_eq!((&image["os"], &image["architecture"]), (&json!("linux"), &json!("arm64")));
    assert_eq!(image["created"], "2023-11-14T22:13:20Z");
    let second: u64 = 1_000_000_000;
    for (field, expected) in [
        ("Env", json!(["PATH=/bin", "NAME=two words", "VERSION=1.2", "LEGACY=old form"])),
        ("Labels", json!({"org.example.version": "1.2", "quoted": "a \"b\"", "given": "yes"})),
        ("ExposedPorts", json!({"80/tcp": {}, "53/udp": {}})),
        ("Volumes", json!({"/data": {}, "/more data": {}, "/third": {}})),
        ("WorkingDir", json!("/srv/deep")),
        ("User", json!("12:34")),
        ("StopSignal", json!("SIGUSR1")),
        ("Shell", json!(["/bin/sh", "-ec"])),
        ("OnBuild", json!(["RUN echo child"])),
        ("Entrypoint", json!(["/bin/sh", "-ec", "exec /program"])),
        ("Cmd", json!(["--help", "$NAME"])),
        (
            "Healthcheck",
            json!({
                "Test": ["CMD-SHELL", "test -e /ok"], "Interval": 5 * second, "Timeout": 60 * second,
                "StartPeriod": 10 * second, "Retries": 3
            }),
        ),
    ] {
        assert_eq!(image["config"][field], expected, "{field}");
    }
    history(&image);
    Ok(())
}

/// Checks that each instruction has its row, dated and marked as BuildKit does.
fn history(image: &Value) {
    let rows = image.pointer("/history").and_then(Value::as_array).cloned().unwrap_or_default();
    let layers = image.pointer("/rootfs/diff_ids").and_then(Value::as_array).map_or(0, Vec::len);
    let full = rows.iter().filter(|row| row["empty_layer"] != json!(true)).count();
    assert_eq!(full, layers, "{rows:?}");
    let has =
        |text: &str| rows.iter().any(|row| row["created_by"].as_str().is_some_and(|by| by.contains(text)));
    for text in ["MAINTAINER Ann Other", "ENV PATH=/bin", "CMD [\"--help\" \"$NAME\"]", "WORKDIR /srv/deep"] {
        assert!(has(text), "{text} in {rows:?}");
    }
    assert!(rows.iter().all(|row| row["created"] == "2023-11-14T22:13:20Z"), "{rows:?}");
}

#[test]
fn a_new_entrypoint_forgets_the_old_command() -> Result<()> {
    if !ready("a_new_entrypoint_forgets_the_old_command", &[Need::Program("skopeo")]) {
        return Ok(());
    }
    let zoea = Zoea::new(Actor::Root)?;
    let text = "FROM scratch AS a\nCMD [\"old\"]\nFROM a\nENTRYPOINT [\"new\"]\nHEALTHCHECK NONE\n";
    let config = Built::of(&zoea, text, &[])?.config()?;
    assert_eq!(config["config"]["Entrypoint"], json!(["new"]));
    assert_eq!(config["config"]["Healthcheck"], json!({"Test": ["NONE"]}));
    assert!(config["config"]["Cmd"].is_null());
    Ok(())
}
