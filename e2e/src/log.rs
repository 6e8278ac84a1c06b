//! What a part has said: the lines of its log file.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The log file of a part.
#[derive(Clone, Debug)]
pub struct Log(PathBuf);

impl Log {
    /// The log in that file, which need not exist yet.
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Everything that was said so far.
    pub fn text(&self) -> String {
        std::fs::read(&self.0)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// How much was said so far: where [`after`](Self::after) begins.
    pub fn length(&self) -> u64 {
        std::fs::metadata(&self.0).map(|file| file.len()).unwrap_or_default()
    }

    /// What was said after so much. A log of many thousand lines is not to be read from its beginning again and again.
    pub fn after(&self, length: u64) -> String {
        let mut bytes = Vec::new();
        let read = File::open(&self.0).and_then(|mut file| {
            file.seek(SeekFrom::Start(length))?;
            file.read_to_end(&mut bytes)
        });
        read.map(|_| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// The lines that are JSON objects, oldest first.
    pub fn records(&self) -> Vec<Value> {
        self.text()
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .filter(Value::is_object)
            .collect()
    }

    /// The last lines.
    pub fn end(&self, count: usize) -> String {
        let text = self.text();
        let lines: Vec<&str> = text.lines().collect();
        lines.get(lines.len().saturating_sub(count)..).unwrap_or_default().join("\n")
    }

    /// The last line that says something; empty when there is none.
    pub fn last_line(&self) -> String {
        self.text()
            .lines()
            .rev()
            .find(|line| !line.trim().is_empty())
            .unwrap_or_default()
            .to_owned()
    }
}
