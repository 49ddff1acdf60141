//! What of a file the target needs.
//!
//! Owns which stages are built, which triggers they take over, and which images must be known first. A stage only
//! reads stages before it.

use std::collections::{BTreeMap, BTreeSet};

use zoea_model::SourceSpan;

use crate::ast::Instruction;
use crate::budget::Budget;
use crate::complaints::Complaints;
use crate::error::{DockerfileError, Problem};
use crate::lower::Extent;
use crate::onbuild;
use crate::outline::{Content, Origin, Outline, OutlineStage, readings};
use crate::request::{ImageRequest, Known};

/// The most triggers that a build runs: stages times triggers could otherwise be any number.
const MOST_TRIGGERS: usize = 10_000;

/// How many times the text of a trigger is held: its line, its here-document as written and read, all of it twice.
const COPIES_OF_TRIGGER: usize = 6;

/// The part of an outline that the target needs.
#[derive(Debug, Default)]
pub(crate) struct Reached {
    /// The needed stages by index, with the triggers that each runs first.
    pub(crate) stages: BTreeMap<usize, Vec<Instruction>>,
    /// The images that are not known yet, each once, in the order of the file.
    pub(crate) needs: Vec<ImageRequest>,
}

impl Outline<'_> {
    /// Finds what the target needs, as far as the known images tell.
    pub(crate) fn reach(
        &self,
        extent: Extent,
        known: &Known,
        budget: &Budget,
        errors: &mut Complaints,
    ) -> Reached {
        let mut reached = Reached::default();
        let mut open = match extent {
            Extent::Target => vec![self.target],
            Extent::AllStages => (0..self.stages.len()).collect(),
        };
        let mut count = 0;
        while let Some(index) = open.pop() {
            let Some(stage) = self.stages.get(index) else { continue };
            if reached.stages.contains_key(&index) || errors.is_final() {
                continue;
            }
            let triggers = errors.keep(self.triggers(stage, known, budget)).unwrap_or_default();
            count += triggers.len();
            if count > MOST_TRIGGERS {
                let span = stage.block.from.heading.span;
                errors.push(Problem::TooManyTriggers { limit: MOST_TRIGGERS }.at(span));
            }
            for reading in triggers.iter().flat_map(readings) {
                if let Some(Origin::Stage(other)) = errors.keep(self.source(reading)) {
                    open.extend(errors.keep(self.before(other, index, reading.span)));
                }
            }
            for reading in stage.readings() {
                // What is wrong with its name is said already, where circles are sought.
                if let Ok(Origin::Stage(other)) = self.source(reading) {
                    open.extend(errors.keep(self.before(other, index, reading.span)));
                }
            }
            if let Origin::Stage(base) = stage.base {
                open.push(base);
            }
            reached.stages.insert(index, triggers);
        }
        reached.needs = self.needs(&reached, known);
        reached
    }

    /// Returns the stage `other`, which the stage `index` reads, unless it comes later.
    fn before(&self, other: usize, index: usize, span: SourceSpan) -> Result<usize, DockerfileError> {
        match other < index {
            true => Ok(other),
            false => Err(Problem::ForwardReference { name: self.name_of(other) }.at(span)),
        }
    }

    fn triggers(
        &self,
        stage: &OutlineStage<'_>,
        known: &Known,
        budget: &Budget,
    ) -> Result<Vec<Instruction>, DockerfileError> {
        let span = stage.block.from.heading.span;
        let texts: Vec<&str> = match (&stage.base, stage.content) {
            (Origin::Scratch | Origin::Context(_) | Origin::Unknown, _) | (_, Content::Context) => Vec::new(),
            // Those of the file, though a named context may stand for that stage, as in BuildKit.
            (Origin::Stage(base), Content::Instructions) => {
                let base = self.stages.get(*base).into_iter();
                base.flat_map(|base| onbuild::set_by(base.block)).collect()
            }
            (Origin::Image(request), Content::Instructions) => {
                let image = known.images.get(&request.key()).into_iter();
                image.flat_map(|image| &image.config.config.on_build).map(String::as_str).collect()
            }
        };
        budget.spend(texts.iter().map(|text| COPIES_OF_TRIGGER * text.len()).sum(), span)?;
        onbuild::read(texts, span)
    }

    fn needs(&self, reached: &Reached, known: &Known) -> Vec<ImageRequest> {
        let mut needs = Vec::new();
        let mut seen = BTreeSet::new();
        let mut add = |origin: Origin| {
            if let Origin::Image(request) = origin
                && !known.images.contains_key(&request.key())
                && seen.insert(request.key())
            {
                needs.push(request);
            }
        };
        for (index, triggers) in &reached.stages {
            let Some(stage) = self.stages.get(*index) else { continue };
            add(stage.base.clone());
            for reading in triggers.iter().flat_map(readings).chain(stage.readings()) {
                if let Ok(origin) = self.source(reading) {
                    add(origin);
                }
            }
        }
        needs
    }
}

#[cfg(test)]
mod tests {
    use zoea_model::{Digest, ImageConfig, Platform};

    use super::*;
    use crate::environment::Environment;
    use crate::parse;
    use crate::request::{KnownImage, Request};

    fn request(target: Option<&str>) -> Request {
        Request {
            target: target.map(str::to_owned),
            build_args: BTreeMap::new(),
            platform: "linux/amd64".parse().unwrap(),
            build_platform: "linux/amd64".parse().unwrap(),
            labels: BTreeMap::new(),
            named_contexts: BTreeMap::new(),
        }
    }

    /// Returns the needed stages and images.
    fn reach(text: &str, target: Option<&str>, known: &Known) -> Result<(Vec<usize>, Vec<String>), String> {
        let file = parse(text.as_bytes()).unwrap();
        let mut errors = Complaints::default();
        let budget = Budget::default();
        let outline = Outline::new(&file, &request(target), &Environment::default(), &budget, &mut errors);
        let reached = outline.reach(Extent::Target, known, &budget, &mut errors);
        errors.finish().map_err(|errors| errors.to_string())?;
        let needs = reached.needs.into_iter().map(|need| need.name).collect();
        Ok((reached.stages.into_keys().collect(), needs))
    }

    #[test]
    fn only_what_the_target_needs_is_reached() {
        let text =
            "FROM x AS a\nFROM y\nFROM a AS c\nCOPY --from=1 / /\nFROM z AS d\nCOPY --from=img:1 / /\n";
        let none = Known::default();
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(reach(text, None, &none).unwrap(), (vec![3], names(&["z", "img:1"])));
        assert_eq!(reach(text, Some("C"), &none).unwrap(), (vec![0, 1, 2], names(&["x", "y"])));
        assert_eq!(reach(text, Some("0"), &none).unwrap(), (vec![0], names(&["x"])));
        assert!(reach(text, Some("4"), &none).is_err());
        assert!(reach(text, Some("cc"), &none).unwrap_err().contains("no stage `cc`"));
    }

    #[test]
    fn a_stage_may_bear_the_name_of_its_base() {
        let known = Known::default();
        assert_eq!(reach("FROM a AS a\nFROM a AS a\n", None, &known).unwrap().0, [0, 1]);
    }

    #[test]
    fn triggers_of_images_need_stages_and_images() {
        let text = "FROM x AS a\nFROM y\nFROM base\n";
        let mut known = Known::default();
        let platform: Platform = "linux/amd64".parse().unwrap();
        assert_eq!(reach(text, None, &known).unwrap().0, [2]);
        let mut config = ImageConfig::default();
        config.config.on_build =
            vec!["COPY --from=a / /".to_owned(), "COPY --from=other / /".to_owned(), "RUN x".to_owned()];
        known.images.insert(("base".to_owned(), platform), KnownImage { digest: Digest::of(b""), config });
        let (stages, needs) = reach(text, None, &known).unwrap();
        assert_eq!((stages, needs), (vec![0, 2], vec!["x".to_owned(), "other".to_owned()]));
    }

    #[test]
    fn circles_are_found_wherever_they_are() {
        let known = Known::default();
        for text in [
            "FROM x AS a\nCOPY --from=a / /\n",
            "FROM x AS a\nCOPY --from=0 / /\nFROM y",
            "FROM x AS a\nCOPY --from=b / /\nFROM y AS b\nCOPY --from=a / /\nFROM z",
            "FROM x AS a\nCOPY --from=b / /\nFROM a AS b\n",
        ] {
            assert!(reach(text, None, &known).unwrap_err().contains("circle"), "{text}");
        }
        let forward = "FROM x AS a\nCOPY --from=b / /\nFROM y AS b\nFROM a\n";
        assert!(reach(forward, None, &known).unwrap_err().contains("before it is defined"));
        assert!(reach(forward, Some("b"), &known).is_ok());
    }

    #[test]
    fn many_stages_are_no_trouble() {
        use std::fmt::Write as _;
        let mut text = String::from("FROM x AS s0\n");
        for index in 1..20_000 {
            writeln!(text, "FROM s{} AS s{index}\nCOPY --from={} / /", index - 1, index / 2).unwrap();
        }
        assert_eq!(reach(&text, None, &Known::default()).unwrap().0.len(), 20_000);
    }

    #[test]
    fn what_from_cannot_be_is_refused() {
        let known = Known::default();
        for (from, message) in [
            ("$a", "variables"),
            ("a\\\\b", "variables"),
            ("1", "index 1"),
            ("99999999999999999999", "index"),
            ("scratch", "nothing to copy"),
        ] {
            let error = reach(&format!("FROM x\nCOPY --from={from} / /"), None, &known).unwrap_err();
            assert!(error.contains(message), "{from}: {error}");
        }
    }
}
