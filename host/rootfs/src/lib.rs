//! Layers in, layers out: the trees that a build reads and changes.
//!
//! Owns unpacked layers and their indexes (the truth about every entry's attributes, whatever the disk could
//! store), the work area of running builds, the builder's own operations on a tree and the one definition of
//! "changed". Knows no registry and no Dockerfile, starts no process and mounts nothing by itself.
#![forbid(unsafe_code)]

mod add_archive;
mod ancestors;
mod archive_date;
mod attr_table;
mod baseline;
mod compression;
mod content;
mod copy;
mod copy_content;
mod copy_place;
mod copy_source;
mod copy_tree;
mod diff;
mod disk;
mod disk_entry;
mod encoder;
mod error;
mod export;
mod form;
mod glob;
mod import;
mod independent;
mod index;
mod index_record;
mod journal;
mod layer_disk;
mod layer_names;
mod layer_stream;
mod layer_tree;
mod materialize;
mod member_budget;
mod overlay;
mod pack;
mod removal;
mod resolve;
mod rootfs;
mod settle;
mod stage;
mod store;
mod tar_entry;
mod tar_header;
mod tar_reader;
mod text;
mod tree;
mod unpack;
mod upper;
mod users;
mod vfs;
mod workspace;
mod xattr;

#[cfg(test)]
mod scan;
#[cfg(test)]
mod scratch_tree;
#[cfg(test)]
mod test_archive;

pub use add_archive::is_archive;
pub use archive_date::newest_in_archive;
pub use baseline::Baseline;
pub use compression::Compression;
pub use copy::{CopyRequest, DestinationForm, Owner, SourceItem, copy};
pub use copy_tree::CopyTree;
pub use diff::{Touched, diff};
pub use error::RootfsError;
pub use export::{export_directory, export_tar, export_tar_of_several};
pub use import::{LayerInput, OpenLayer};
pub use independent::IndependentTree;
pub use index::{IndexRow, LayerIndex};
pub use journal::Journal;
pub use overlay::OverlayMounter;
pub use pack::{PackOptions, PackedLayer, pack};
pub use rootfs::Rootfs;
pub use stage::StageTree;
pub use store::Store;
pub use text::{text_of_changes, text_of_index, text_of_tree};
pub use tree::{Tree, TreeView};
pub use users::{Identity, OpenInTree, resolve_owner, resolve_user};
pub use vfs::{Content, Vfs};
pub use workspace::Workspace;
