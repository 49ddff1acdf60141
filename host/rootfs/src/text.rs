//! The one text form of trees and layers: one line per entry, for tests, goldens and people.
//!
//! Only prints. A line is `kind mode owner:group time path`, then what the kind has: size and digest, target,
//! numbers, the first name of a link, extended attributes. Names are escaped, so a line is always one line.

use zoea_model::{Change, Changes, DeviceNumber, Entry, Node, TreePath};

use crate::error::printable;
use crate::{Baseline, IndexRow, LayerIndex};

/// Returns the text of everything that a tree shows.
pub fn text_of_tree(tree: &Baseline) -> String {
    tree.entries().map(|(path, entry)| line("", &path, Some(&entry))).collect()
}

/// Returns the text of a layer; `opaque` and `whiteout` begin the lines of what hides lower layers.
pub fn text_of_index(index: &LayerIndex) -> String {
    let lines = index.rows().map(|(path, row)| match &row {
        IndexRow::Entry(entry) => line("", &path, Some(entry)),
        IndexRow::Opaque(entry) => line("opaque ", &path, Some(entry)),
        IndexRow::Whiteout => line("whiteout", &path, None),
    });
    lines.collect()
}

/// Returns the text of changes, in the form of a layer's.
pub fn text_of_changes(changes: &Changes) -> String {
    let lines = changes.0.iter().map(|(path, change)| match change {
        Change::Upsert(entry) => line("", path, Some(entry)),
        Change::Replace(entry) => line("opaque ", path, Some(entry)),
        Change::Remove => line("whiteout", path, None),
    });
    lines.collect()
}

fn line(prefix: &str, path: &TreePath, entry: Option<&Entry>) -> String {
    let name = printable(path.as_bytes());
    let Some(Entry { node, attributes, hard_link_to }) = entry else { return format!("{prefix} /{name}\n") };
    let mut text = format!(
        "{prefix}{} {:04o} {}:{} {} /{name}",
        kind(node),
        attributes.mode,
        attributes.uid,
        attributes.gid,
        attributes.mtime
    );
    text.push_str(&match node {
        Node::File { size, digest: None } => format!(" {size}"),
        Node::File { size, digest: Some(digest) } => format!(" {size} {digest}"),
        Node::Symlink { target } => format!(" -> {}", printable(target)),
        Node::CharacterDevice(DeviceNumber { major, minor })
        | Node::BlockDevice(DeviceNumber { major, minor }) => format!(" {major}:{minor}"),
        Node::Directory | Node::Fifo => String::new(),
    });
    if let Some(first) = hard_link_to {
        text.push_str(&format!(" = /{}", printable(first.as_bytes())));
    }
    for (name, value) in &attributes.xattrs {
        text.push_str(&format!(" [{}={}]", printable(name), value.escape_ascii()));
    }
    text.push('\n');
    text
}

fn kind(node: &Node) -> &'static str {
    match node {
        Node::File { .. } => "file",
        Node::Directory => "directory",
        Node::Symlink { .. } => "symlink",
        Node::CharacterDevice(_) => "character",
        Node::BlockDevice(_) => "block",
        Node::Fifo => "fifo",
    }
}
