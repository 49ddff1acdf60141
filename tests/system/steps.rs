//! RUN: what a step sees, what it says, how it ends, and what is left of it.

use std::process::Command;

use anyhow::Result;
use zoea_tests::{Actor, Base, Finished, Need, Zoea, ready};

use crate::result::{Built, with_base, words};

fn actors(test: &str) -> Vec<Actor> {
    let needs = [Need::Base(Base::Busybox), Need::Program("skopeo")];
    let mut actors = Vec::new();
    for (actor, need) in [(Actor::Root, Need::Root), (Actor::User, Need::SubordinateIds)] {
        if ready(&format!("{test} as {actor:?}"), &[&needs[..], &[need]].concat()) {
            actors.push(actor);
        }
    }
    actors
}

fn build(zoea: &Zoea, text: &str) -> Result<Finished> {
    let context = zoea.context(&[("Dockerfile", text)])?;
    let base = with_base(Base::Busybox)?;
    zoea.build(&context, &words(&base))
}

#[test]
fn the_exit_status_of_a_step_is_passed_on() -> Result<()> {
    for actor in actors("the_exit_status_of_a_step_is_passed_on") {
        let zoea = Zoea::new(actor)?;
        build(&zoea, "FROM base\n\nRUN echo why >&2; exit 42\n")?
            .failure(42, &["Dockerfile:3", "why", "42"])?;
        build(&zoea, "FROM base\nRUN sh -c 'kill -9 $$'; exit $?\n")?.failure(137, &["Dockerfile:2"])?;
        build(&zoea, "FROM base\nRUN [\"/no/such\"]\n")?.failure(127, &["/no/such"])?;
    }
    Ok(())
}

#[test]
fn both_streams_are_shown_with_the_name_of_the_step() -> Result<()> {
    for actor in actors("both_streams_are_shown_with_the_name_of_the_step") {
        let zoea = Zoea::new(actor)?;
        let text = "FROM base AS app\nRUN echo to-out; echo to-err >&2; printf unfinished\n";
        let said = build(&zoea, text)?.success()?.stderr;
        for line in ["[app 1/1] | to-out\n", "[app 1/1] | to-err\n", "[app 1/1] | unfinished\n"] {
            assert!(said.contains(line), "{line} in {said}");
        }
    }
    Ok(())
}

#[test]
fn no_process_of_a_step_survives_it() -> Result<()> {
    for actor in actors("no_process_of_a_step_survives_it") {
        let zoea = Zoea::new(actor)?;
        // A length that names this test's own processes.
        let length = format!("98{}", std::process::id());
        let text = format!("FROM base\nRUN (sleep {length} &) ; setsid sleep {length} & true\nRUN true\n");
        build(&zoea, &text)?.success()?;
        let left = Finished::of(Command::new("pgrep").args(["-f", &format!("sleep {length}")]))?;
        assert_eq!(left.stdout, "", "{actor:?}");
    }
    Ok(())
}

#[test]
fn a_step_leaves_only_what_it_wrote() -> Result<()> {
    for actor in actors("a_step_leaves_only_what_it_wrote") {
        let zoea = Zoea::new(actor)?;
        let base = with_base(Base::Busybox)?;
        let text =
            "FROM base\nRUN cat /etc/resolv.conf /etc/hosts /proc/self/mounts > /dev/null && echo x > /f\n";
        let built = Built::of(&zoea, text, &words(&base))?;
        let names: Vec<_> = built
            .top_layer()?
            .iter()
            .filter_map(|line| line.split(' ').next_back().map(str::to_owned))
            .collect();
        assert_eq!(names, ["f"], "{actor:?}");
        let built = Built::of(&zoea, "FROM base\nRUN true\n", &words(&base))?;
        assert_eq!(built.top_layer()?, [""; 0], "{actor:?}");
    }
    Ok(())
}

#[test]
fn a_step_sees_its_tree_and_nothing_of_the_machine() -> Result<()> {
    for actor in actors("a_step_sees_its_tree_and_nothing_of_the_machine") {
        let zoea = Zoea::new(actor)?;
        let state = zoea.state();
        let text = format!(
            "FROM base\n\
             ENV GREETING=hello\n\
             WORKDIR /work\n\
             RUN test ! -e {state} && test ! -e /var/tmp && test \"$(pwd)\" = /work && test $GREETING = hello\n\
             RUN test -c /dev/null && test -e /proc/self/status && test ! -e /dev/kmsg && test ! -e /dev/sda\n\
             RUN test -z \"$ZOEA_STATE_DIR$TMPDIR\" && test \"$HOME\" = /root && test \"$(id -u)\" = 0\n\
             RUN test $$ -le 2 && test \"$(ls /proc | grep -c '^[0-9]')\" -lt 10\n\
             RUN ! mount -t tmpfs none /mnt 2>/dev/null || ! touch /proc/sysrq-trigger 2>/dev/null\n",
            state = state.display()
        );
        build(&zoea, &text)?.success()?;
    }
    Ok(())
}

#[test]
fn shell_and_exec_forms_run_what_they_say() -> Result<()> {
    for actor in actors("shell_and_exec_forms_run_what_they_say") {
        let zoea = Zoea::new(actor)?;
        let base = with_base(Base::Busybox)?;
        let text = "FROM base\nRUN [\"sh\", \"-c\", \"echo $0 > /exec\", \"$HOME\"]\n\
                    SHELL [\"/bin/ash\", \"-e\", \"-c\"]\nRUN false; true || echo unreachable\n";
        let context = zoea.context(&[("Dockerfile", text)])?;
        zoea.build(&context, &words(&base))?.failure(1, &["Dockerfile:4"])?;
        let text = "FROM base\nRUN [\"sh\", \"-c\", \"test $0 = '$HOME'\", \"$HOME\"]\n";
        build(&zoea, text)?.success()?;
    }
    Ok(())
}
