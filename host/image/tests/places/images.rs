//! Small but real images.

use std::collections::BTreeMap;
use std::io::Write as _;

use zoea_image::{BlobStore, Image, ImageDraft, ImageFormat, NewLayer, compose};
use zoea_model::oci::MediaType;
use zoea_model::{DiffId, Digest, HistoryRow, ImageConfig, RuntimeConfig};

/// How a layer is compressed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Packing {
    Gzip,
    Zstd,
    Plain,
}

/// Stores a layer with one file.
pub(crate) fn layer(blobs: &BlobStore, name: &str, content: &[u8], packing: Packing) -> NewLayer {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    builder.append_data(&mut header, name, content).unwrap();
    let tar = builder.into_inner().unwrap();
    let diff_id = DiffId(Digest::of(&tar));
    let (bytes, media_type) = match packing {
        Packing::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(&tar).unwrap();
            (encoder.finish().unwrap(), MediaType::ImageLayerGzip)
        }
        Packing::Zstd => (zstd::encode_all(tar.as_slice(), 3).unwrap(), MediaType::ImageLayerZstd),
        Packing::Plain => (tar, MediaType::ImageLayer),
    };
    let (digest, size) = blobs.put(&bytes).unwrap();
    NewLayer { digest, size, diff_id, media_type }
}

/// Makes an image on `base` with a layer for each name.
pub(crate) fn image(blobs: &BlobStore, base: Option<&Image>, names: &[&str], format: ImageFormat) -> Image {
    let layers: Vec<NewLayer> =
        names.iter().map(|name| layer(blobs, name, name.as_bytes(), Packing::Gzip)).collect();
    of_layers(blobs, base, layers, format)
}

/// Makes an image on `base`.
pub(crate) fn of_layers(
    blobs: &BlobStore,
    base: Option<&Image>,
    layers: Vec<NewLayer>,
    format: ImageFormat,
) -> Image {
    let row = |text: &str, empty_layer| HistoryRow {
        created: Some("2024-01-01T00:00:00Z".to_owned()),
        created_by: Some(text.to_owned()),
        empty_layer,
        ..HistoryRow::default()
    };
    let history = layers.iter().map(|_| row("COPY", false)).chain([row("CMD", true)]).collect();
    let runtime = RuntimeConfig { cmd: Some(vec!["/run".to_owned()]), ..RuntimeConfig::default() };
    let config = ImageConfig {
        architecture: "amd64".to_owned(),
        os: "linux".to_owned(),
        config: runtime,
        ..ImageConfig::default()
    };
    let created = "2024-01-01T00:00:00Z".to_owned();
    compose(
        ImageDraft { base, layers, config, history, created, annotations: BTreeMap::new(), format },
        blobs,
    )
    .unwrap()
}
