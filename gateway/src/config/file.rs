//! Files that an operator names.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// Reads a file of at most `limit` bytes. What is no regular file is refused unopened: a pipe would wait for its
/// other end, and a device might never end.
pub(crate) fn read_file(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let kind = fs::metadata(path)?.file_type();
    if kind.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !kind.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::other(format!("it is larger than {limit} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_regular_files_up_to_their_limit() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "12345").unwrap();
        assert_eq!(read_file(&file, 5).unwrap(), b"12345");
        let refused = |path: &Path| read_file(path, 4).unwrap_err().to_string();
        assert_eq!(refused(&file), "it is larger than 4 bytes");
        assert_eq!(refused(folder.path()), "is a directory");
        assert_eq!(refused(Path::new("/dev/zero")), "it is not a regular file");
        assert!(refused(&folder.path().join("none")).contains("No such file"));
    }
}
