//! The stages of a file: what each starts from, and what a name means.
//!
//! Owns the meaning of stage names and indices, and where named contexts take their place. Must not apply
//! instructions.

use std::collections::BTreeMap;

use zoea_model::{ContextName, Platform, SourceSpan};

use crate::ast::{Command, Dockerfile, From, Instruction, MountFlag, StageBlock, StageName, Word};
use crate::budget::Budget;
use crate::build_arguments::expand_word;
use crate::circle::{self, Edge};
use crate::complaints::Complaints;
use crate::contexts::Contexts;
use crate::directives::Escape;
use crate::environment::Environment;
use crate::error::{DockerfileError, Problem};
use crate::request::{ImageRequest, Request};
use crate::suggest::closest;

/// What a stage starts from, or what files are copied from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The empty image.
    Scratch,
    /// The stage with this index in the file.
    Stage(usize),
    /// An image.
    Image(ImageRequest),
    /// The files of a build context.
    Context(ContextName),
    /// Something that could not be made out; that is said already.
    Unknown,
}

/// What a stage consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// What its instructions make of its base.
    Instructions,
    /// A named context, which is its base as it is.
    Context,
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
    /// What it consists of.
    pub(crate) content: Content,
}

/// Who names a place that files are read from: not everybody may use every name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// `COPY --from`: also by index.
    Copy,
    /// `RUN --mount=from=`.
    Mount,
}

/// One `--from` or `from=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading<'a> {
    /// The name as written.
    pub(crate) name: &'a str,
    /// Its place.
    pub(crate) span: SourceSpan,
    /// Who says it.
    pub(crate) reader: Reader,
}

/// All stages of a file.
#[derive(Debug)]
pub(crate) struct Outline<'a> {
    /// The stages in the order of the file.
    pub(crate) stages: Vec<OutlineStage<'a>>,
    /// The index of the wanted stage.
    pub(crate) target: usize,
    names: BTreeMap<&'a str, usize>,
    contexts: Contexts,
    platform: Platform,
}

impl<'a> Outline<'a> {
    /// Resolves the names of all stages; a `FROM` sees only `globals`.
    pub(crate) fn new(
        dockerfile: &'a Dockerfile,
        request: &Request,
        globals: &Environment,
        budget: &Budget,
        errors: &mut Complaints,
    ) -> Self {
        let mut outline = Self {
            stages: Vec::new(),
            target: 0,
            names: BTreeMap::new(),
            contexts: Contexts::new(request),
            platform: request.platform.clone(),
        };
        for (index, block) in dockerfile.stages.iter().enumerate() {
            let from = &block.from;
            let expand = |word: &Word| expand_word(word, dockerfile.directives.escape, globals, budget);
            let stage = outline.stage(block, index, expand);
            let stage = errors.keep(stage).unwrap_or_else(|| OutlineStage {
                block,
                name: name_of(from, index),
                base: Origin::Unknown,
                platform: outline.platform.clone(),
                content: Content::Instructions,
            });
            outline.stages.push(stage);
            outline.names.extend(from.name.as_ref().map(|name| (name.text.as_str(), index)));
        }
        outline.check_circles(errors);
        match outline.find_target(request) {
            Ok(target) => outline.target = target,
            Err(error) => {
                outline.target = outline.stages.len().saturating_sub(1);
                errors.push(error);
            }
        }
        outline
    }

    fn stage(
        &self,
        block: &'a StageBlock,
        index: usize,
        expand: impl Fn(&Word) -> Result<String, DockerfileError>,
    ) -> Result<OutlineStage<'a>, DockerfileError> {
        let from = &block.from;
        let name = expand(&from.image)?;
        if name.is_empty() {
            return Err(Problem::BlankImage { word: from.image.text.clone() }.at(from.image.span));
        }
        let asked = match &from.platform {
            Some(word) => {
                let text = expand(word)?;
                Some(text.parse().map_err(|cause| Problem::Platform { text, cause }.at(word.span))?)
            }
            None => None,
        };
        let span = from.image.span;
        let wanted: Platform = asked.unwrap_or_else(|| self.platform.clone());
        let replacing = |name: &StageName| self.contexts.find_stage(&name.text, &wanted, span);
        let (base, platform, content) = match from.name.as_ref().and_then(replacing) {
            Some(context) => (context, wanted, Content::Context),
            None => {
                let (base, platform) = self.base(name, wanted, span)?;
                (base, platform, Content::Instructions)
            }
        };
        Ok(OutlineStage { block, name: name_of(from, index), base, platform, content })
    }

    /// Returns what a `FROM` starts from and for which platform, of which `wanted` is asked for.
    fn base(
        &self,
        name: String,
        wanted: Platform,
        span: SourceSpan,
    ) -> Result<(Origin, Platform), DockerfileError> {
        if let Some(index) = self.names.get(name.as_str()) {
            let inherited = self.stages.get(*index).map(|stage| stage.platform.clone());
            return Ok((Origin::Stage(*index), inherited.unwrap_or_else(|| self.platform.clone())));
        }
        if name == "scratch" {
            return Ok((Origin::Scratch, self.platform.clone()));
        }
        if let Some(context) = self.contexts.find(&name, &wanted, span) {
            return Ok((context, wanted));
        }
        if self.names.contains_key(name.to_lowercase().as_str()) {
            return Err(Problem::BaseCase { name }.at(span));
        }
        let similar_stage = self.similar_stage(&name);
        let request = ImageRequest { name, platform: wanted.clone(), span, similar_stage };
        Ok((Origin::Image(request), wanted))
    }

    fn find_target(&self, request: &Request) -> Result<usize, DockerfileError> {
        let last = self.stages.len().saturating_sub(1);
        let Some(target) = &request.target else { return Ok(last) };
        let by_name = self.names.get(target.to_lowercase().as_str()).copied();
        let by_index = || target.parse().ok().filter(|index| *index <= last);
        by_name.or_else(by_index).ok_or_else(|| {
            let closest = closest(target, self.names.keys().copied());
            let stages = self.stages.iter().map(|stage| stage.name.clone()).collect();
            Problem::UnknownTarget { name: target.clone(), closest, stages }.nowhere()
        })
    }

    /// Returns what a `--from` or `from=` means.
    pub(crate) fn source(&self, reading: Reading<'_>) -> Result<Origin, DockerfileError> {
        let Reading { name, span, reader } = reading;
        if let Reader::Copy = reader
            && let Some(index) = self.copy_index(name, span)?
        {
            return Ok(self.stage_origin(index));
        }
        if let Some(index) = self.names.get(name.to_lowercase().as_str()) {
            return Ok(self.stage_origin(*index));
        }
        if name == "scratch" {
            return match reader {
                Reader::Copy => Err(Problem::FromScratch.at(span)),
                Reader::Mount => Ok(Origin::Scratch),
            };
        }
        if let Some(context) = self.contexts.find(name, &self.platform, span) {
            return Ok(context);
        }
        Ok(Origin::Image(ImageRequest {
            name: name.to_owned(),
            platform: self.platform.clone(),
            span,
            similar_stage: self.similar_stage(name),
        }))
    }

    /// Finds the stage that may be meant by a name that is none's; a name with a registry, path or tag means no stage.
    fn similar_stage(&self, name: &str) -> Option<String> {
        if name.contains(['/', ':', '.', '@']) {
            return None;
        }
        closest(name, self.names.keys().copied())
    }

    /// Reads the index of a stage, and refuses what `--from` cannot be.
    fn copy_index(&self, name: &str, span: SourceSpan) -> Result<Option<usize>, DockerfileError> {
        let plain = crate::words::expand(name, Escape::Backslash, &Environment::default());
        if !plain.is_ok_and(|plain| plain.result == name) {
            return Err(Problem::FromVariable { word: name.to_owned() }.at(span));
        }
        let digits = name.strip_prefix(['+', '-']).unwrap_or(name);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(None);
        }
        match name.parse::<usize>() {
            Ok(index) if index < self.stages.len() => Ok(Some(index)),
            Ok(_) | Err(_) => {
                Err(Problem::StageIndex { index: name.to_owned(), count: self.stages.len() }.at(span))
            }
        }
    }

    /// Returns where the files of a stage are: of a replaced one, in its context, which needs no stage.
    fn stage_origin(&self, index: usize) -> Origin {
        match self.stages.get(index) {
            Some(OutlineStage { content: Content::Context, base, .. }) => base.clone(),
            Some(_) | None => Origin::Stage(index),
        }
    }

    /// Refuses stages that read each other or themselves, needed or not.
    fn check_circles(&self, errors: &mut Complaints) {
        let mut edges: Vec<Vec<Edge>> = Vec::with_capacity(self.stages.len());
        for stage in &self.stages {
            let mut own = Vec::new();
            if let Origin::Stage(to) = stage.base {
                own.push(Edge { to, span: stage.block.from.image.span });
            }
            for reading in stage.readings() {
                match errors.keep(self.source(reading)) {
                    Some(Origin::Stage(to)) => own.push(Edge { to, span: reading.span }),
                    Some(Origin::Scratch | Origin::Image(_) | Origin::Context(_) | Origin::Unknown)
                    | None => {}
                }
            }
            edges.push(own);
        }
        if let Some(Edge { to, span }) = circle::find(&edges) {
            errors.push(Problem::CircularReference { name: self.name_of(to) }.at(span));
        }
    }

    /// Returns the name of a stage.
    pub(crate) fn name_of(&self, index: usize) -> String {
        self.stages.get(index).map_or_else(String::new, |stage| stage.name.clone())
    }
}

impl<'a> OutlineStage<'a> {
    /// Returns the instructions that are applied.
    pub(crate) fn instructions(&self) -> &'a [Instruction] {
        match self.content {
            Content::Instructions => &self.block.instructions,
            Content::Context => &[],
        }
    }

    /// Returns what its own instructions read.
    pub(crate) fn readings(&self) -> impl Iterator<Item = Reading<'a>> {
        self.instructions().iter().flat_map(readings)
    }
}

fn name_of(from: &From, index: usize) -> String {
    from.name.as_ref().map_or_else(|| index.to_string(), |name| name.text.clone())
}

/// Returns what an instruction reads files from.
pub(crate) fn readings(instruction: &Instruction) -> Vec<Reading<'_>> {
    match &instruction.command {
        Command::Copy(copy) => {
            let from = copy.flags.from.iter();
            from.map(|word| Reading { name: &word.text, span: word.span, reader: Reader::Copy }).collect()
        }
        Command::Run(run) => {
            let from = run.mounts.iter().filter_map(MountFlag::from);
            from.map(|(name, span)| Reading { name, span, reader: Reader::Mount }).collect()
        }
        Command::Arg(_)
        | Command::Cmd(_)
        | Command::Entrypoint(_)
        | Command::Env(_)
        | Command::Expose(_)
        | Command::Healthcheck(_)
        | Command::Label(_)
        | Command::Maintainer(_)
        | Command::OnBuild(_)
        | Command::Shell(_)
        | Command::StopSignal(_)
        | Command::User(_)
        | Command::Volume(_)
        | Command::Workdir(_) => Vec::new(),
    }
}
