//! The stages of a file: what each starts from and reads, and which are needed.
//!
//! Owns the meaning of stage names and indices. Must not apply instructions. A stage only reads stages before it.

use std::collections::{BTreeMap, BTreeSet};

use zoea_model::{Platform, SourceSpan};

use crate::ast::{Command, Dockerfile, From, Instruction, StageBlock, Word};
use crate::budget::Budget;
use crate::build_arguments::expand_word;
use crate::directives::Escape;
use crate::environment::Environment;
use crate::error::{DockerfileError, Problem};
use crate::onbuild;
use crate::request::{ImageRequest, Known, Request};
use crate::suggest::closest;

/// The most triggers that a build runs: stages times triggers could otherwise be any number.
const MOST_TRIGGERS: usize = 10_000;

/// What a stage starts from, or what files are copied from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The empty image.
    Scratch,
    /// The stage with this index in the file.
    Stage(usize),
    /// An image.
    Image(ImageRequest),
}

/// One stage with its names resolved.
#[derive(Debug)]
pub(crate) struct OutlineStage<'a> {
    /// What the file says.
    pub(crate) block: &'a StageBlock,
    /// The name after `AS`, or the index.
    pub(crate) name: String,
    /// What it starts from.
    pub(crate) base: Origin,
    /// What it is built for.
    pub(crate) platform: Platform,
}

/// All stages of a file.
#[derive(Debug)]
pub(crate) struct Outline<'a> {
    /// The stages in the order of the file.
    pub(crate) stages: Vec<OutlineStage<'a>>,
    /// The index of the wanted stage.
    pub(crate) target: usize,
    names: BTreeMap<&'a str, usize>,
    platform: Platform,
}

/// One stage reads another.
#[derive(Debug, Clone, Copy)]
struct Edge {
    to: usize,
    span: SourceSpan,
}

/// The part of an outline that the target needs.
#[derive(Debug, Default)]
pub(crate) struct Reached {
    /// The needed stages by index, with the triggers that each runs first.
    pub(crate) stages: BTreeMap<usize, Vec<Instruction>>,
    /// The images that are not known yet, each once, in the order of the file.
    pub(crate) needs: Vec<ImageRequest>,
}

impl<'a> Outline<'a> {
    /// Resolves the names of all stages; a `FROM` sees only `globals`.
    pub(crate) fn new(
        dockerfile: &'a Dockerfile,
        request: &Request,
        globals: &Environment,
        budget: &Budget,
    ) -> Result<Self, DockerfileError> {
        let mut outline = Self {
            stages: Vec::new(),
            target: 0,
            names: BTreeMap::new(),
            platform: request.platform.clone(),
        };
        for (index, block) in dockerfile.stages.iter().enumerate() {
            let from = &block.from;
            let expand = |word: &Word| expand_word(word, dockerfile.directives.escape, globals, budget);
            let platform = from.platform.as_ref().map(expand).transpose()?;
            let (base, platform) = outline.base(from, expand(&from.image)?, platform)?;
            let name = block.from.name.as_ref();
            outline.stages.push(OutlineStage {
                block,
                name: name.map_or_else(|| index.to_string(), |name| name.text.clone()),
                base,
                platform,
            });
            outline.names.extend(name.map(|name| (name.text.as_str(), index)));
        }
        outline.check_circles()?;
        outline.target = outline.find_target(request)?;
        Ok(outline)
    }

    /// Returns what a `FROM` starts from and for which platform; `name` and `asked` are its words, expanded.
    fn base(
        &self,
        from: &From,
        name: String,
        asked: Option<String>,
    ) -> Result<(Origin, Platform), DockerfileError> {
        if name.is_empty() {
            return Err(Problem::BlankImage { word: from.image.text.clone() }.at(from.image.span));
        }
        let span = from.platform.as_ref().map_or(from.heading.span, |word| word.span);
        let parse = |text: String| text.parse().map_err(|cause| Problem::Platform { text, cause }.at(span));
        let asked: Option<Platform> = asked.map(parse).transpose()?;
        if let Some(index) = self.names.get(name.to_lowercase().as_str()) {
            let inherited = self.stages.get(*index).map(|stage| stage.platform.clone());
            return Ok((Origin::Stage(*index), inherited.unwrap_or_else(|| self.platform.clone())));
        }
        if name == "scratch" {
            return Ok((Origin::Scratch, self.platform.clone()));
        }
        let platform = asked.unwrap_or_else(|| self.platform.clone());
        let request = ImageRequest { name, platform: platform.clone(), span: from.image.span };
        Ok((Origin::Image(request), platform))
    }

    fn find_target(&self, request: &Request) -> Result<usize, DockerfileError> {
        let last = self.stages.len().saturating_sub(1);
        let Some(target) = &request.target else { return Ok(last) };
        let by_name = self.names.get(target.to_lowercase().as_str()).copied();
        let by_index = || target.parse().ok().filter(|index| *index <= last);
        by_name.or_else(by_index).ok_or_else(|| {
            let closest = closest(target, self.names.keys().copied());
            Problem::UnknownTarget { name: target.clone(), closest }.nowhere()
        })
    }

    /// Returns what a `--from` means.
    pub(crate) fn source(&self, from: &Word) -> Result<Origin, DockerfileError> {
        let invalid = |problem: Problem| Err(problem.at(from.span));
        let plain = crate::words::expand(&from.text, Escape::Backslash, &Environment::default());
        if plain.map(|plain| plain.result).as_ref() != Ok(&from.text) {
            return invalid(Problem::FromVariable { word: from.text.clone() });
        }
        if !from.text.is_empty() && from.text.bytes().all(|byte| byte.is_ascii_digit()) {
            return match from.text.parse() {
                Ok(index) if index < self.stages.len() => Ok(Origin::Stage(index)),
                Ok(_) | Err(_) => {
                    invalid(Problem::StageIndex { index: from.text.clone(), count: self.stages.len() })
                }
            };
        }
        if let Some(index) = self.names.get(from.text.to_lowercase().as_str()) {
            return Ok(Origin::Stage(*index));
        }
        if from.text == "scratch" {
            return invalid(Problem::FromScratch);
        }
        let (name, platform) = (from.text.clone(), self.platform.clone());
        Ok(Origin::Image(ImageRequest { name, platform, span: from.span }))
    }

    /// Refuses stages that read each other or themselves, needed or not.
    fn check_circles(&self) -> Result<(), DockerfileError> {
        let mut edges: Vec<Vec<Edge>> = Vec::with_capacity(self.stages.len());
        for stage in &self.stages {
            let mut own = Vec::new();
            if let Origin::Stage(to) = stage.base {
                own.push(Edge { to, span: stage.block.from.image.span });
            }
            for from in sources(&stage.block.instructions) {
                if let Origin::Stage(to) = self.source(from)? {
                    own.push(Edge { to, span: from.span });
                }
            }
            edges.push(own);
        }
        match circle(&edges) {
            None => Ok(()),
            Some(Edge { to, span }) => Err(Problem::CircularReference { name: self.name_of(to) }.at(span)),
        }
    }

    fn name_of(&self, index: usize) -> String {
        self.stages.get(index).map_or_else(String::new, |stage| stage.name.clone())
    }

    /// Finds what the target needs, as far as the known images tell.
    pub(crate) fn reach(&self, known: &Known) -> Result<Reached, DockerfileError> {
        let mut reached = Reached::default();
        let mut open = vec![self.target];
        let mut count = 0;
        while let Some(index) = open.pop() {
            let Some(stage) = self.stages.get(index) else { continue };
            if reached.stages.contains_key(&index) {
                continue;
            }
            let triggers = self.triggers(stage, known)?;
            count += triggers.len();
            if count > MOST_TRIGGERS {
                return Err(Problem::TooManyTriggers { limit: MOST_TRIGGERS }.at(stage
                    .block
                    .from
                    .heading
                    .span));
            }
            for from in sources(triggers.iter().chain(&stage.block.instructions)) {
                match self.source(from)? {
                    Origin::Stage(other) if other >= index => {
                        let name = self.name_of(other);
                        return Err(Problem::ForwardReference { name }.at(from.span));
                    }
                    Origin::Stage(other) => open.push(other),
                    Origin::Scratch | Origin::Image(_) => {}
                }
            }
            if let Origin::Stage(base) = stage.base {
                open.push(base);
            }
            reached.stages.insert(index, triggers);
        }
        reached.needs = self.needs(&reached, known)?;
        Ok(reached)
    }

    fn triggers(&self, stage: &OutlineStage<'_>, known: &Known) -> Result<Vec<Instruction>, DockerfileError> {
        let span = stage.block.from.heading.span;
        match &stage.base {
            Origin::Scratch => Ok(Vec::new()),
            Origin::Stage(base) => {
                let base = self.stages.get(*base).into_iter();
                onbuild::read(base.flat_map(|base| onbuild::set_by(base.block)), span)
            }
            Origin::Image(request) => {
                let texts = known
                    .images
                    .get(&request.key())
                    .into_iter()
                    .flat_map(|image| &image.config.config.on_build);
                onbuild::read(texts.map(String::as_str), span)
            }
        }
    }

    fn needs(&self, reached: &Reached, known: &Known) -> Result<Vec<ImageRequest>, DockerfileError> {
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
            for from in sources(triggers.iter().chain(&stage.block.instructions)) {
                add(self.source(from)?);
            }
        }
        Ok(needs)
    }
}

/// Returns the `--from` words of instructions.
fn sources<'a>(instructions: impl IntoIterator<Item = &'a Instruction>) -> impl Iterator<Item = &'a Word> {
    instructions.into_iter().filter_map(|instruction| match &instruction.command {
        Command::Copy(copy) => copy.flags.from.as_ref(),
        Command::Arg(_)
        | Command::Cmd(_)
        | Command::Entrypoint(_)
        | Command::Env(_)
        | Command::Expose(_)
        | Command::Healthcheck(_)
        | Command::Label(_)
        | Command::Maintainer(_)
        | Command::OnBuild(_)
        | Command::Run(_)
        | Command::Shell(_)
        | Command::StopSignal(_)
        | Command::User(_)
        | Command::Volume(_)
        | Command::Workdir(_) => None,
    })
}

/// Finds an edge that closes a circle and leads forward or to its own stage; every circle has one.
///
/// Takes stages away that read nothing that is left, until none can be taken (Kahn's algorithm). From any that is
/// left, following what it reads must come back to a stage that was passed.
fn circle(edges: &[Vec<Edge>]) -> Option<Edge> {
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); edges.len()];
    let mut open_reads: Vec<usize> = edges.iter().map(Vec::len).collect();
    for (index, own) in edges.iter().enumerate() {
        for edge in own {
            readers.get_mut(edge.to)?.push(index);
        }
    }
    let is_free = |(index, count): (usize, &usize)| (*count == 0).then_some(index);
    let mut free: Vec<usize> = open_reads.iter().enumerate().filter_map(is_free).collect();
    while let Some(index) = free.pop() {
        for reader in readers.get(index)? {
            let count = open_reads.get_mut(*reader)?;
            *count -= 1;
            if *count == 0 {
                free.push(*reader);
            }
        }
    }
    let is_left = |index: usize| open_reads.get(index).is_some_and(|count| *count > 0);
    let mut position = (0..edges.len()).find(|index| is_left(*index))?;
    let mut path: Vec<(usize, Edge)> = Vec::new();
    let mut passed = BTreeMap::new();
    while passed.insert(position, path.len()).is_none() {
        let edge = *edges.get(position)?.iter().find(|edge| is_left(edge.to))?;
        path.push((position, edge));
        position = edge.to;
    }
    let start = path.iter().position(|(index, _)| *index == position)?;
    path.get(start..)?.iter().find(|(index, edge)| edge.to >= *index).map(|(_, edge)| *edge)
}

#[cfg(test)]
mod tests {
    use zoea_model::{Digest, ImageConfig};

    use super::*;
    use crate::parse;
    use crate::request::KnownImage;

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
        let outline = Outline::new(&file, &request(target), &Environment::default(), &Budget::default());
        let reached = outline.and_then(|outline| outline.reach(known)).map_err(|error| error.to_string())?;
        let needs = reached.needs.into_iter().map(|need| need.name).collect();
        Ok((reached.stages.into_keys().collect(), needs))
    }

    #[test]
    fn only_what_the_target_needs_is_reached() {
        let text =
            "FROM x AS a\nFROM y\nFROM A AS c\nCOPY --from=1 / /\nFROM z AS d\nCOPY --from=img:1 / /\n";
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
