//! Images as immutable views, and the places that they come from and go to: the blob store, OCI layouts,
//! archives, registries.
//!
//! Blobs are opaque bytes with digests; what is inside a layer belongs to `rootfs`. No byte is believed before
//! its digest was checked, every input has a limit, and memory does not grow with the size of a blob.
#![forbid(unsafe_code)]

mod archive;
mod blob_reader;
mod blob_writer;
mod blobs;
mod compose;
mod compression;
mod delivery;
mod document;
mod error;
mod hint;
mod image;
mod index;
mod layout;
mod layout_index;
mod manifest_text;
mod media;
mod named_images;
mod remote;
mod resolve;
mod store;
#[cfg(test)]
mod test_support;
mod validate;

pub use archive::{Archive, ArchiveFormat, write_archive};
pub use blob_writer::BlobWriter;
pub use blobs::BlobStore;
pub use compose::{ImageDraft, NewLayer, compose};
pub use delivery::Delivery;
pub use document::Document;
pub use error::ImageError;
pub use image::{BlobSource, Image, Layer};
pub use index::{Index, IndexDraft, IndexEntry, compose_index};
pub use layout::Layout;
pub use media::ImageFormat;
pub use remote::{Credentials, Hosts, Registry, RegistryOptions};
pub use store::ImageStore;
pub use validate::{Violation, validate, validate_delivery};
