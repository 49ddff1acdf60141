//! The secrets, SSH agents and caches that a target's steps see.

use std::collections::BTreeSet;

use zoea_model::{Mount, Operation, Presence, SourceSpan, Stage, StageId};

use crate::request::Request;

/// A secret or an SSH agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedNeed {
    /// Its name.
    pub name: String,
    /// Whether the build fails without it.
    pub presence: Presence,
    /// The step that asks for it first.
    pub span: SourceSpan,
}

/// A cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedCache {
    /// Its name.
    pub id: String,
    /// The step that asks for it first.
    pub span: SourceSpan,
}

/// What steps see, each once and in the order of the file.
#[derive(Debug, Default)]
pub(super) struct Mounted {
    pub(super) secrets: Vec<NamedNeed>,
    pub(super) ssh: Vec<NamedNeed>,
    pub(super) caches: Vec<NamedCache>,
}

/// The names that were met, of each kind.
#[derive(Debug, Default)]
struct Met<'a> {
    secrets: BTreeSet<&'a str>,
    ssh: BTreeSet<&'a str>,
    caches: BTreeSet<&'a str>,
}

impl Mounted {
    /// Collects what the steps of `stages` see.
    pub(super) fn new(stages: &[(StageId, &Stage)], request: &Request) -> Self {
        let namespace = request.build_args.get("BUILDKIT_CACHE_MOUNT_NS").map_or("", String::as_str);
        let mut mounted = Self::default();
        let mut met = Met::default();
        for (span, mount) in stages.iter().flat_map(|(_, stage)| mounts(stage)) {
            match mount {
                Mount::Secret(secret) if met.secrets.insert(&secret.id) => {
                    mounted.secrets.push(need(&secret.id, secret.presence, span));
                }
                Mount::Ssh(agent) if met.ssh.insert(&agent.id) => {
                    mounted.ssh.push(need(&agent.id, agent.presence, span));
                }
                Mount::Cache(cache) => {
                    let id = without_namespace(&cache.id, namespace);
                    if met.caches.insert(id) {
                        mounted.caches.push(NamedCache { id: id.to_owned(), span });
                    }
                }
                Mount::Secret(_) | Mount::Ssh(_) | Mount::Bind(_) | Mount::Tmpfs(_) => {}
            }
        }
        mounted.secrets.sort_by_key(|need| need.span);
        mounted.ssh.sort_by_key(|need| need.span);
        mounted.caches.sort_by_key(|cache| cache.span);
        mounted
    }
}

fn need(name: &str, presence: Presence, span: SourceSpan) -> NamedNeed {
    NamedNeed { name: name.to_owned(), presence, span }
}

fn without_namespace<'a>(id: &'a str, namespace: &str) -> &'a str {
    id.strip_prefix(namespace).and_then(|id| id.strip_prefix('/')).unwrap_or(id)
}

fn mounts(stage: &Stage) -> impl Iterator<Item = (SourceSpan, &Mount)> {
    stage.steps.iter().flat_map(|step| {
        let mounts = match &step.operation {
            Operation::Run(run) => run.mounts.as_slice(),
            Operation::Copy(_) | Operation::Metadata | Operation::Workdir(_) => &[],
        };
        mounts.iter().map(|mount| (step.span, mount))
    })
}
