//! The fuzz targets over their seeds: every golden Dockerfile, and what fuzzing once found.

#[cfg(test)]
mod seeds {
    use std::path::{Path, PathBuf};

    /// Returns the files below `directory`, which lies in the workspace.
    #[expect(clippy::disallowed_methods, reason = "the test reads its own seeds")]
    fn seeds(directory: &str) -> Vec<Vec<u8>> {
        let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(directory)];
        let mut files: Vec<PathBuf> = Vec::new();
        while let Some(directory) = open.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                let list = if path.is_dir() { &mut open } else { &mut files };
                list.push(path);
            }
        }
        files.sort();
        assert!(!files.is_empty(), "there are no seeds");
        files.iter().map(|file| std::fs::read(file).unwrap()).collect()
    }

    #[test]
    fn dockerfiles() {
        for seed in seeds("host/dockerfile/tests/golden").into_iter().chain(seeds("fuzz/seeds/dockerfile")) {
            zoea_fuzz::dockerfile(&seed);
        }
    }

    #[test]
    fn words() {
        seeds("fuzz/seeds/word").iter().for_each(|seed| zoea_fuzz::word(seed));
    }

    #[test]
    fn ignore_files() {
        seeds("fuzz/seeds/ignore").iter().for_each(|seed| zoea_fuzz::ignore(seed));
    }
}
