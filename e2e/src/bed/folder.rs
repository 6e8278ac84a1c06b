//! The folder of one bed.

use std::path::{Path, PathBuf};

use uuid::Uuid;

/// A new folder, removed with all that is in it, unless a test failed.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Makes it among the system's temporary files.
    pub(crate) fn new() -> Self {
        let path = std::env::temp_dir().join(format!("shop-{}", Uuid::new_v4().simple()));
        if let Err(error) = std::fs::create_dir(&path) {
            panic!("can't make {}: {error}", path.display());
        }
        Self(path)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    #[expect(
        clippy::print_stderr,
        reason = "whoever reads a failed test wants to know where to look"
    )]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the shop's files and logs are kept in {}", self.0.display());
        } else {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}
