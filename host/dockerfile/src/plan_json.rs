//! The JSON form of a plan, for programs.
//!
//! Holds what the [text form](crate::plan_text()) holds, in a stable order of keys, with a version that changes with
//! the form. The values of proxy variables and the secret parts of URLs are left out.

use serde_json::{Map, Value, json};
use zoea_model::{
    Access, AddArchive, Base, ContextName, CopyItem, CopySource, CopyStep, GitDirectory, GitSource, GitTimes,
    HttpSource, InlineFile, Linking, Mount, Network, Operation, PinnedImage, Plan, Presence, RunStep,
    SecretMount, Security, Sharing, SshMount, Stage, StageId, Step, Submodules, TreePath,
};

use crate::build_arguments::is_proxy_variable;
use crate::safe_text::safe;

/// The version of the form.
const VERSION: u32 = 1;

/// Writes a plan as a JSON document.
pub fn plan_json(plan: &Plan) -> Value {
    json!({
        "version": VERSION,
        "source_date": plan.source_date.map(|date| date.to_string()),
        "target": plan.target.0,
        "stages": plan.stages.iter().map(stage).collect::<Vec<_>>(),
    })
}

fn stage(stage: &Stage) -> Value {
    json!({
        "name": stage.name,
        "platform": stage.platform.to_string(),
        "from": match &stage.base {
            Base::Scratch => json!({ "scratch": true }),
            Base::Image(pinned) => image(pinned),
            Base::Stage(StageId(id)) => json!({ "stage": id }),
            Base::Context(name) => context(name),
        },
        "steps": stage.steps.iter().map(step).collect::<Vec<_>>(),
        // A configuration is made of strings, numbers and maps with strings as keys, which JSON can always hold.
        "config": serde_json::to_value(&stage.config).unwrap_or(Value::Null),
    })
}

fn image(image: &PinnedImage) -> Value {
    json!({ "image": image.name, "platform": image.platform.to_string(), "digest": image.digest.to_string() })
}

fn context(name: &ContextName) -> Value {
    match name {
        ContextName::Main => json!({ "context": null }),
        ContextName::Named(name) => json!({ "context": name }),
    }
}

fn source(from: &CopySource) -> Value {
    match from {
        CopySource::Context(name) => context(name),
        CopySource::Stage(StageId(id)) => json!({ "stage": id }),
        CopySource::Image(pinned) => image(pinned),
    }
}

fn step(step: &Step) -> Value {
    let (operation, detail) = match &step.operation {
        Operation::Metadata => ("metadata", Map::new()),
        Operation::Workdir(workdir) => {
            ("workdir", object(json!({ "path": path(&workdir.path), "owner": workdir.owner.to_string() })))
        }
        Operation::Copy(step) => ("copy", object(copy(step))),
        Operation::Run(step) => ("run", object(run(step))),
    };
    let mut value = object(json!({
        "line": step.span.line,
        "column": step.span.column,
        "end_line": step.span.end_line,
        "text": step.text,
        "operation": operation,
    }));
    value.extend(detail);
    value.extend(object(json!({
        "history": {
            "created_by": safe(&step.history.created_by, &step.operation),
            "empty_layer": step.history.empty_layer,
        },
    })));
    Value::Object(value)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}

fn path(path: &TreePath) -> String {
    path.to_string()
}

fn copy(copy: &CopyStep) -> Value {
    let unpacks = |archives| matches!(archives, AddArchive::Unpack);
    json!({
        "from": source(&copy.from),
        "items": copy.items.iter().map(item).collect::<Vec<_>>(),
        "destination": path(&copy.destination),
        "into_directory": copy.into_directory,
        "owner": copy.owner.as_ref().map(ToString::to_string),
        "mode": copy.mode.as_ref().map(ToString::to_string),
        "excludes": copy.excludes,
        "link": matches!(copy.linking, Linking::Independent),
        "unpack": unpacks(copy.archives),
        "unpack_remote": unpacks(copy.remote_archives),
    })
}

fn item(item: &CopyItem) -> Value {
    match item {
        CopyItem::Pattern(pattern) => json!({ "pattern": pattern }),
        CopyItem::Below { root, pattern } => json!({ "pattern": pattern, "below": root }),
        CopyItem::Inline(file) => inline(file),
        CopyItem::Http(source) => http(source),
        CopyItem::Git(source) => git(source),
    }
}

fn inline(file: &InlineFile) -> Value {
    json!({ "file": file.name, "content": String::from_utf8_lossy(&file.content) })
}

fn http(source: &HttpSource) -> Value {
    json!({
        "url": source.url.to_string(),
        "file_name": source.file_name,
        "checksum": source.checksum.as_ref().map(ToString::to_string),
    })
}

fn git(source: &GitSource) -> Value {
    json!({
        "git": source.remote.to_string(),
        "reference": source.reference,
        "subdirectory": path(&source.subdirectory),
        "checksum": source.checksum,
        "keep_git_directory": matches!(source.git_directory, GitDirectory::Keep),
        "submodules": matches!(source.submodules, Submodules::Fetch),
        "times": match source.times {
            GitTimes::Checkout => "checkout",
            GitTimes::Commit => "commit",
        },
    })
}

fn run(run: &RunStep) -> Value {
    let environment = run.environment.iter().filter(|(name, _)| !is_proxy_variable(name));
    json!({
        "program": run.command.program,
        "arguments": run.command.arguments,
        "environment": environment.map(|(name, value)| json!([name, value])).collect::<Vec<_>>(),
        "directory": path(&run.working_directory),
        "user": run.user.to_string(),
        "network": match run.network {
            Network::Default => "default",
            Network::None => "none",
            Network::Host => "host",
        },
        "security": match run.security {
            Security::Sandbox => "sandbox",
            Security::Insecure => "insecure",
        },
        "mounts": run.mounts.iter().map(mount).collect::<Vec<_>>(),
        "scripts": run.scripts.iter().map(inline).collect::<Vec<_>>(),
    })
}

fn mount(mount: &Mount) -> Value {
    let read_only = |access| matches!(access, Access::ReadOnly);
    let required = |presence| matches!(presence, Presence::Required);
    match mount {
        Mount::Bind(bind) => json!({
            "type": "bind",
            "target": path(&bind.target),
            "from": source(&bind.from),
            "source": path(&bind.source),
            "read_only": read_only(bind.access),
        }),
        Mount::Cache(cache) => json!({
            "type": "cache",
            "target": path(&cache.target),
            "id": cache.id,
            "sharing": match cache.sharing {
                Sharing::Shared => "shared",
                Sharing::Private => "private",
                Sharing::Locked => "locked",
            },
            "from": cache.from.as_ref().map(source),
            "source": path(&cache.source),
            "mode": cache.mode.to_string(),
            "uid": cache.uid,
            "gid": cache.gid,
            "read_only": read_only(cache.access),
        }),
        Mount::Tmpfs(tmpfs) => {
            json!({ "type": "tmpfs", "target": path(&tmpfs.target), "size": tmpfs.size })
        }
        Mount::Secret(SecretMount { id, target, variable, presence, mode, uid, gid }) => json!({
            "type": "secret",
            "id": id,
            "target": target.as_ref().map(path),
            "variable": variable,
            "required": required(*presence),
            "mode": mode.to_string(),
            "uid": uid,
            "gid": gid,
        }),
        Mount::Ssh(SshMount { id, target, presence, mode, uid, gid }) => json!({
            "type": "ssh",
            "id": id,
            "target": target.as_ref().map(path),
            "required": required(*presence),
            "mode": mode.to_string(),
            "uid": uid,
            "gid": gid,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Known, Lowered, Request, lower, parse};

    fn document(text: &str) -> String {
        let request = Request {
            target: None,
            build_args: [("HTTP_PROXY".to_owned(), "http://me:key@proxy".to_owned())].into(),
            platform: "linux/amd64".parse().unwrap(),
            build_platform: "linux/amd64".parse().unwrap(),
            labels: Default::default(),
            named_contexts: Default::default(),
        };
        let lowered = lower(&parse(text.as_bytes()).unwrap(), &request, &Known::default()).unwrap();
        let Lowered::Plan { plan, .. } = lowered else { panic!("{lowered:?}") };
        plan_json(&plan).to_string()
    }

    #[test]
    fn keys_have_an_order_and_secrets_stay_secret() {
        let text = "FROM scratch\nADD https://me:key@h/f?token=key /\nRUN [\"/a\"]\n";
        let json = document(text);
        assert!(json.starts_with("{\"version\":1,\"source_date\":null,\"target\":0,\"stages\":[{"), "{json}");
        assert!(json.contains("\"url\":\"https://****@h/f?****\""), "{json}");
        assert!(json.contains("\"operation\":\"run\",\"program\":\"/a\",\"arguments\":[]"), "{json}");
        assert!(!json.contains("proxy") && !json.contains("key"), "{json}");
        assert_eq!(json, document(text));
    }
}
