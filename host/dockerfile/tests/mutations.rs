//! Dockerfiles with bytes changed, lost, doubled and moved: whatever comes of them, it comes without a panic, in
//! bounded time and memory, and errors can be shown. What can be read can be printed and read again.

#[cfg(test)]
mod mutations {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use zoea_dockerfile::{
        Dockerfile, Known, KnownDate, KnownImage, Lowered, NamedContext, Request, lower, parse, plan_json,
        plan_text, print,
    };
    use zoea_model::{Digest, ImageConfig};

    /// Every instruction in several forms.
    const SEED: &str = r#"# syntax=docker/dockerfile:1
# escape=\
ARG VERSION=12 BASE=debian SOURCE_DATE_EPOCH=source
FROM --platform=$BUILDPLATFORM ${BASE:-x}:$VERSION AS builder
ARG VERSION TARGETARCH=x
ENV PATH=/opt/bin:$PATH A="b c" \
    D='e' F=${A:+g}
ENV legacy rest of line
LABEL a=b "c d"="e \" f"
WORKDIR src/../app
COPY --chown=1000:users --chmod=0644 a* [b-c]? "/d e/" ./
ADD ["x y.tar", "$A/"]
RUN --network=none apt-get install \
    # a comment

    gcc && echo "it's"
RUN ["/bin/echo", "$PATH"]
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
USER ${U:-nobody}
ONBUILD COPY --from=builder . /src
FROM builder AS child
EXPOSE 80 443/tcp 8000-8005/udp
VOLUME /data ["/x"]
STOPSIGNAL SIGRTMIN+3
HEALTHCHECK --interval=1m30s --retries=3 CMD curl -f http://localhost/ || exit 1
ENTRYPOINT ["/entry"]
CMD run $X
FROM scratch
# the tools
RUN --mount=type=cache,target=/x 3<<-EOF cat <<'F' | sh
	# $A \\
	EOF
echo "
F
COPY --chown=1 <<E a <<"G" /d/
$A
E
G
ONBUILD RUN cat <<E
b
E
MAINTAINER someone <a@b.c>
RUN --mount=type=secret,id=a,env=A,required --mount=type=ssh,uid=1 --mount=from=assets,target=/m,rw --security=insecure x
RUN --mount=type=tmpfs,target=/t,size=1.5m --mount=type=cache,from=builder,target=c,sharing=locked,mode=0700 x
COPY --link --parents --exclude=*.o --chmod=u=rwX src/./**/*.c /out/
ADD --keep-git-dir --unpack git@host:a/b.git?tag=v1&subdir=c https://me:key@host/x.tar?token=1#y /add/
COPY --from=0 /app /app
COPY --from=assets x /
COPY --from=busybox:1 /bin/busybox /bin/
FROM scratch AS source
ADD https://host/$VERSION /
"#;

    fn run(text: &[u8]) -> Result<(), TestCaseError> {
        let dockerfile = match parse(text) {
            Ok(dockerfile) => dockerfile,
            Err(error) => {
                prop_assert!(error.render("Dockerfile", text).len() < 4096 + 2 * text.len());
                return Ok(());
            }
        };
        print_and_read(&dockerfile)?;
        let mut request = Request {
            target: None,
            build_args: BTreeMap::from([("VERSION".to_owned(), "13".to_owned())]),
            platform: "linux/arm64".parse().unwrap(),
            build_platform: "linux/amd64".parse().unwrap(),
            labels: BTreeMap::new(),
            named_contexts: BTreeMap::from([
                ("assets".to_owned(), NamedContext::Files),
                ("busybox:1".to_owned(), NamedContext::Image),
            ]),
        };
        for target in 0..dockerfile.stages.len() {
            request.target = Some(target.to_string());
            lower_fully(&dockerfile, &request)?;
        }
        Ok(())
    }

    fn print_and_read(dockerfile: &Dockerfile) -> Result<(), TestCaseError> {
        let printed = print(dockerfile);
        let again = parse(printed.as_bytes()).map_err(|error| {
            TestCaseError::fail(format!("{printed}\n{}", error.render("Dockerfile", printed.as_bytes())))
        })?;
        prop_assert_eq!(without_places(&again), without_places(dockerfile), "{}", printed);
        prop_assert_eq!(print(&again), printed);
        Ok(())
    }

    /// Shows a tree without what says only where it stood in its file.
    fn without_places(dockerfile: &Dockerfile) -> String {
        let dockerfile = Dockerfile { empty_continuations: Vec::new(), ..dockerfile.clone() };
        let text = format!("{dockerfile:?}");
        let parts =
            text.split("SourceSpan {").map(|part| part.split_once(" }").map_or(part, |(_, rest)| rest));
        let first = text.split("SourceSpan {").next().unwrap();
        let text: String = std::iter::once(first).chain(parts.skip(1)).collect();
        text.replace("spelling: Verbatim", "").replace("spelling: Rewritten", "")
    }

    fn lower_fully(dockerfile: &zoea_dockerfile::Dockerfile, request: &Request) -> Result<(), TestCaseError> {
        let mut known = Known::default();
        loop {
            match lower(dockerfile, request, &known) {
                Err(_) => return Ok(()),
                Ok(Lowered::Needs(needs)) => {
                    prop_assert!(!needs.images.is_empty() || needs.source_date.is_some());
                    if needs.source_date.is_some() {
                        prop_assert!(known.source_date.replace(KnownDate::None).is_none(), "asked twice");
                    }
                    for need in needs.images {
                        let image = KnownImage { digest: Digest::of(b""), config: ImageConfig::default() };
                        prop_assert!(
                            known.images.insert(need.key(), image).is_none(),
                            "asked twice for {}",
                            need.name
                        );
                    }
                }
                Ok(Lowered::Plan { plan, .. }) => {
                    prop_assert!(plan.stages.get(plan.target.0).is_some());
                    prop_assert!(!plan_text(&plan).is_empty());
                    prop_assert!(plan_json(&plan).is_object());
                    return Ok(());
                }
            }
        }
    }

    /// One change to a text.
    #[derive(Debug, Clone)]
    enum Edit {
        Replace(usize, u8),
        Remove(usize, usize),
        Repeat(usize, usize),
        Move(usize, usize, usize),
    }

    fn edit() -> impl Strategy<Value = Edit> {
        let byte = prop_oneof![prop::sample::select(b"\\\n\"'${}[]=:#<-/ \t`,|".as_slice()), any::<u8>()];
        let (place, length) = (0..SEED.len(), 1_usize..60);
        prop_oneof![
            (place.clone(), byte).prop_map(|(place, byte)| Edit::Replace(place, byte)),
            (place.clone(), length.clone()).prop_map(|(place, length)| Edit::Remove(place, length)),
            (place.clone(), length.clone()).prop_map(|(place, length)| Edit::Repeat(place, length)),
            (place.clone(), length, place).prop_map(|(from, length, to)| Edit::Move(from, length, to)),
        ]
    }

    fn apply(text: &mut Vec<u8>, edit: &Edit) {
        let range = |place: usize, length: usize, size: usize| place.min(size)..(place + length).min(size);
        let size = text.len();
        match *edit {
            Edit::Replace(place, byte) => text.iter_mut().skip(place).take(1).for_each(|old| *old = byte),
            Edit::Remove(place, length) => drop(text.drain(range(place, length, size))),
            Edit::Repeat(place, length) => {
                let copy = text[range(place, length, size)].to_vec();
                let place = place.min(size);
                text.splice(place..place, copy);
            }
            Edit::Move(from, length, to) => {
                let moved: Vec<u8> = text.drain(range(from, length, size)).collect();
                let to = to.min(text.len());
                text.splice(to..to, moved);
            }
        }
    }

    #[test]
    fn the_seed_itself_is_built() {
        let dockerfile =
            parse(SEED.as_bytes()).unwrap_or_else(|error| panic!("{}", error.render("D", SEED.as_bytes())));
        assert_eq!(dockerfile.stages.len(), 4);
        run(SEED.as_bytes()).unwrap();
    }

    #[test]
    fn doubling_variables_fill_no_memory() {
        let mut text = String::from("FROM scratch\nENV a=0123456789\n");
        for _ in 0..60 {
            text.push_str("ENV a=$a$a\n");
        }
        let error = lower(&parse(text.as_bytes()).unwrap(), &request(), &Known::default()).unwrap_err();
        assert!(error.first().message().contains("grows beyond"), "{error}");
    }

    /// Small files that would grow to gigabytes.
    #[test]
    fn what_multiplies_fills_no_memory() {
        let big = format!("FROM scratch\nENV a={}\nENV b=$a$a$a$a$a$a$a$a$a$a\n", "x".repeat(60_000));
        let global = format!("ARG a={}\nARG b=$a$a$a$a$a$a$a$a$a$a\n", "x".repeat(60_000));
        let numbered = |text: &str, count: usize| -> String {
            (0..count).map(|number| text.replace("%", &number.to_string())).collect()
        };
        for text in [
            format!("{big}{}", "RUN x\n".repeat(2_000)),
            format!("{big}COPY {}\n", "$b \\\n".repeat(2_000)),
            format!("{big}{}", numbered("LABEL l%=$b\n", 2_000)),
            format!("{big}WORKDIR $b\n{}", "RUN x\n".repeat(2_000)),
            format!("{global}{}FROM scratch\n", numbered("ARG c%=$b\n", 2_000)),
            format!("{global}{}", "FROM $b\n".repeat(2_000)),
            format!("FROM scratch\n{}", "EXPOSE 0-65535\n".repeat(500)),
            format!("FROM scratch\nEXPOSE {}\n", "0-65535 \\\n".repeat(500)),
            format!("FROM scratch AS s\nCMD {}\n{}", "x".repeat(60_000), "FROM s AS s\n".repeat(5_000)),
            format!("FROM scratch\n{}", "WORKDIR xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n".repeat(5_000)),
            format!(
                "FROM scratch AS b\nONBUILD COPY <<E /\n{}E\n{}FROM scratch\n{}",
                "x\n".repeat(100_000),
                numbered("FROM b AS s%\n", 2_000),
                numbered("COPY --from=s% x y\n", 2_000)
            ),
            format!("{big}COPY <<E /\n{}E\n", "$b\n".repeat(2_000)),
            format!("{big}{}", "RUN --mount=target=/x$b true\n".repeat(2_000)),
            format!(
                "FROM scratch AS b\n{}{}",
                "ONBUILD USER x\n".repeat(20_000),
                numbered("FROM b AS s%\n", 100)
            ),
            // Many small texts cost more than their letters.
            format!("FROM scratch\nSHELL [{}\"x\"]\n{}", "\"x\",".repeat(15_000), "RUN x\n".repeat(500)),
            format!(
                "FROM scratch AS s0\n{}",
                (0..1_500)
                    .map(|number| format!("FROM s{number} AS s{}\nARG a{number}=x\n", number + 1))
                    .collect::<String>()
            ),
            format!("FROM scratch AS s\nEXPOSE 1-65535\n{}", "FROM s AS s\n".repeat(20)),
        ] {
            let error = lower(&parse(text.as_bytes()).unwrap(), &request(), &Known::default());
            let message =
                error.map(drop).map_or_else(|error| error.first().message(), |()| "built".to_owned());
            let start: String = text.chars().rev().take(60).collect::<String>().chars().rev().collect();
            assert!(
                message.contains("grows beyond")
                    || message.contains("more than")
                    || message == "built" && text.contains("CMD"),
                "{start}: {message}"
            );
        }
    }

    #[test]
    fn large_files_are_quick() {
        let mut text = String::from("FROM scratch\n");
        for number in 0..5_000 {
            text.push_str(&format!("ENV v{number}=$v0 w=${{w:-{number}}}\nLABEL l=\"$w\" m='$w'\n"));
        }
        let Ok(Lowered::Plan { plan, .. }) =
            lower(&parse(text.as_bytes()).unwrap(), &request(), &Known::default())
        else {
            panic!("not built")
        };
        assert_eq!(plan.stages[0].steps.len(), 10_000);
    }

    fn request() -> Request {
        Request {
            target: None,
            build_args: BTreeMap::new(),
            platform: "linux/amd64".parse().unwrap(),
            build_platform: "linux/amd64".parse().unwrap(),
            labels: BTreeMap::new(),
            named_contexts: BTreeMap::new(),
        }
    }

    /// Returns the seed and the inputs of the golden cases.
    #[expect(clippy::disallowed_methods, reason = "the test reads its own fixtures")]
    fn files() -> Vec<Vec<u8>> {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
        let cases = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path().join("Dockerfile"));
        let mut cases: Vec<_> = cases.filter(|path| path.exists()).collect();
        cases.sort();
        let files = cases.into_iter().map(|path| std::fs::read(path).unwrap());
        std::iter::once(SEED.as_bytes().to_vec()).chain(files).collect()
    }

    #[test]
    fn what_can_be_read_can_be_printed() {
        for file in files() {
            if let Ok(dockerfile) = parse(&file) {
                print_and_read(&dockerfile).unwrap();
            }
        }
    }

    #[test]
    fn errors_of_one_file_are_bounded() {
        let text = "FROM x\n".to_owned() + &"RUNN x\n".repeat(10_000) + "COPPY a b\n";
        let errors = parse(text.as_bytes()).unwrap_err();
        assert_eq!(errors.iter().count(), 20);
        assert!(errors.to_string().ends_with(" more errors are not shown"), "{errors}");
    }

    #[test]
    fn many_lines_fill_no_memory() {
        for (line, message) in
            [("RUN\n", "`RUN` needs a command"), ("USER a\n", "more than 100000 instructions")]
        {
            let text = "FROM x\n".to_owned() + &line.repeat(1_000_000);
            assert!(parse(text.as_bytes()).unwrap_err().to_string().contains(message), "{line}");
        }
        for (start, line, end, outcome) in [
            ("", "# c\n", "USER x", "read"),
            ("RUN a \\\n", "\n", "b", "read"),
            ("RUN <<E\n", "\n", "", "The here-document `E` has no end"),
            ("RUN ", "<<E \\\n", "\n", "The here-document `E` has no end"),
            ("RUN ", "<<E \\\n", "\nE", "The here-document `E` has no end"),
            ("RUN ", "${a:-", " <<E", "What `<<` means here is not clear"),
        ] {
            let text = format!("FROM x\n{start}{}{end}", line.repeat(60_000 / line.len().min(6)));
            let actual =
                parse(text.as_bytes()).map_or_else(|error| error.first().message(), |_| "read".to_owned());
            assert!(actual.starts_with(outcome), "{start}{line}: {actual}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

        #[test]
        fn mutated_files_never_panic(edits in prop::collection::vec(edit(), 1..6)) {
            let mut text = SEED.as_bytes().to_vec();
            for edit in &edits {
                apply(&mut text, edit);
            }
            run(&text)?;
        }

        #[test]
        fn mutated_golden_files_never_panic(
            file in prop::sample::select(files()),
            edits in prop::collection::vec(edit(), 1..4),
        ) {
            let mut text = file;
            for edit in &edits {
                apply(&mut text, edit);
            }
            run(&text)?;
        }
    }
}
