//! Writing images as an archive, in one pass and in a fixed order.
//!
//! A Docker archive is an OCI layout with `manifest.json` beside it, as present versions of `docker save` write
//! it: its layers stay compressed, so nothing has to be unpacked to learn a size.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use serde::Serialize;
use tar::{Builder, EntryType, Header};
use zoea_model::ImageRef;

use super::DOCKER_INDEX;
use crate::blobs::BLOBS;
use crate::document::Document;
use crate::layout_index::LayoutIndex;
use crate::manifest_text::to_json;
use crate::named_images::{INDEX, MARK, MARK_TEXT, name_delivery};
use crate::{Delivery, ImageError, Layer};

/// The form of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchiveFormat {
    /// An OCI layout.
    Oci,
    /// What `docker load` takes.
    Docker,
}

/// One image of `manifest.json`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct DockerEntry {
    config: String,
    repo_tags: Vec<String>,
    layers: Vec<String>,
}

enum Content<'a> {
    Directory,
    Bytes(Vec<u8>),
    Layer(&'a Layer),
}

/// Writes an image or an index under `names` as an archive; equal ones give equal bytes. Layers stream through.
///
/// # Errors
/// When a layer cannot be read or the sink cannot be written; what was written then is no archive. A Docker archive
/// takes no index.
pub fn write_archive(
    delivery: impl Into<Delivery>,
    names: &[ImageRef],
    format: ArchiveFormat,
    sink: &mut dyn Write,
) -> Result<(), ImageError> {
    let delivery = delivery.into();
    let mut builder = Builder::new(sink);
    for (path, content) in contents(&delivery, names, format)? {
        append(&mut builder, &path, content)?;
    }
    let sink = builder.into_inner().map_err(|source| ImageError::WriteArchive { source })?;
    sink.flush().map_err(|source| ImageError::WriteArchive { source })
}

/// Lists the entries by path, in the order in which they are written.
fn contents<'a>(
    delivery: &'a Delivery,
    names: &[ImageRef],
    format: ArchiveFormat,
) -> Result<BTreeMap<String, Content<'a>>, ImageError> {
    let path = |digest: zoea_model::Digest| format!("{BLOBS}/{}", digest.hex());
    let mut index = LayoutIndex::default();
    name_delivery(&mut index, delivery, names)?;
    let mut contents: BTreeMap<String, Content<'_>> = BTreeMap::new();
    for image in delivery.images() {
        contents.extend(image.layers().iter().map(|layer| (path(layer.digest()), Content::Layer(layer))));
        contents.insert(path(image.config_digest()), Content::Bytes(image.config_bytes().to_vec()));
        contents.insert(path(image.digest()), Content::Bytes(image.manifest_bytes().to_vec()));
    }
    contents.insert(path(delivery.digest()), Content::Bytes(delivery.bytes().to_vec()));
    contents.insert("blobs/".to_owned(), Content::Directory);
    contents.insert(format!("{BLOBS}/"), Content::Directory);
    contents.insert(INDEX.to_owned(), Content::Bytes(index.to_bytes()?));
    contents.insert(MARK.to_owned(), Content::Bytes(MARK_TEXT.as_bytes().to_vec()));
    match format {
        ArchiveFormat::Oci => {}
        ArchiveFormat::Docker => {
            let (None, [image]) = (delivery.index(), delivery.images()) else {
                return Err(ImageError::IndexInDockerArchive);
            };
            let entry = DockerEntry {
                config: path(image.config_digest()),
                repo_tags: names.iter().filter(|name| name.tag().is_some()).map(repo_tag).collect(),
                layers: image.layers().iter().map(|layer| path(layer.digest())).collect(),
            };
            let bytes = to_json(Document::DockerManifest, &[entry])?;
            contents.insert(DOCKER_INDEX.to_owned(), Content::Bytes(bytes));
        }
    }
    Ok(contents)
}

fn repo_tag(name: &ImageRef) -> String {
    let tag = name.tag().map(|tag| format!(":{tag}")).unwrap_or_default();
    format!("{}/{}{tag}", name.registry(), name.repository())
}

fn append(builder: &mut Builder<&mut dyn Write>, path: &str, content: Content<'_>) -> Result<(), ImageError> {
    let mut header = Header::new_ustar();
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_entry_type(EntryType::Regular);
    let (size, reader): (u64, Box<dyn Read>) = match content {
        Content::Directory => {
            header.set_mode(0o755);
            header.set_entry_type(EntryType::Directory);
            (0, Box::new(io::empty()))
        }
        Content::Bytes(bytes) => (bytes.len() as u64, Box::new(io::Cursor::new(bytes))),
        Content::Layer(layer) => (layer.size(), layer.open()?),
    };
    header.set_size(size);
    builder.append_data(&mut header, path, reader).map_err(|error| match error.downcast::<ImageError>() {
        Ok(error) => error,
        Err(source) => ImageError::WriteArchive { source },
    })
}
