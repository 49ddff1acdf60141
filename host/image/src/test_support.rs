//! Small images for this crate's own unit tests.

use std::collections::BTreeMap;
use std::io::Write as _;

use cap_std::fs::Dir;
use zoea_model::oci::MediaType;
use zoea_model::{DiffId, Digest, HistoryRow, ImageConfig};

use crate::document::Manifest;
use crate::{BlobStore, Image, ImageDraft, ImageFormat, NewLayer, compose};

/// Makes a directory that is removed with its guard.
#[expect(clippy::disallowed_methods, reason = "a test makes its own work area")]
pub(crate) fn scratch_directory() -> (tempfile::TempDir, Dir) {
    let guard = tempfile::tempdir().unwrap();
    let directory = Dir::open_ambient_dir(guard.path(), cap_std::ambient_authority()).unwrap();
    (guard, directory)
}

/// Stores a gzip layer whose tar stream is a text: this crate never looks inside.
fn layer(blobs: &BlobStore, text: &str) -> NewLayer {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    let (digest, size) = blobs.put(&encoder.finish().unwrap()).unwrap();
    let diff_id = DiffId(Digest::of(text.as_bytes()));
    NewLayer { digest, size, diff_id, media_type: MediaType::ImageLayerGzip }
}

/// Makes a draft with one layer per text, each with a row of its own and a row without a layer.
pub(crate) fn draft(blobs: &BlobStore, texts: &[&str], format: ImageFormat) -> ImageDraft<'static> {
    let row = |empty_layer| HistoryRow { empty_layer, ..HistoryRow::default() };
    ImageDraft {
        base: None,
        layers: texts.iter().map(|text| layer(blobs, text)).collect(),
        config: ImageConfig {
            architecture: "amd64".to_owned(),
            os: "linux".to_owned(),
            ..ImageConfig::default()
        },
        history: texts.iter().flat_map(|_| [row(false), row(true)]).collect(),
        created: "1970-01-01T00:00:00Z".to_owned(),
        annotations: BTreeMap::new(),
        format,
    }
}

/// Makes an image whose history has `rows` rows with a layer, whatever its layers are.
pub(crate) fn image_with_history(blobs: &BlobStore, texts: &[&str], rows: usize) -> Image {
    let image = compose(draft(blobs, texts, ImageFormat::Oci), blobs).unwrap();
    let history = vec![HistoryRow::default(); rows];
    let config = serde_json::to_vec(&ImageConfig { history, ..image.config().clone() }).unwrap();
    let old = format!(r#""digest":"{}","size":{}"#, image.config_digest(), image.config_bytes().len());
    let new = format!(r#""digest":"{}","size":{}"#, Digest::of(&config), config.len());
    let text = String::from_utf8(image.manifest_bytes().to_vec()).unwrap();
    let manifest = Manifest::parse(text.replacen(&old, &new, 1).into_bytes(), None, "test").unwrap();
    let Manifest::Image(manifest) = manifest else { panic!("no image") };
    Image::new(*manifest, config, "test", |_| std::sync::Arc::new(blobs.clone())).unwrap()
}
