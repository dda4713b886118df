//! The files of a directory tree.

use std::{
    fs::{self, DirEntry},
    io,
    path::{Path, PathBuf},
};

/// All that could not be listed, and why.
type Unreadable = Vec<(PathBuf, io::Error)>;

/// All files under this path, in order, and what could not be listed. Nothing that may never end, such as a pipe. A link is
/// not followed when it leads to a directory, which may be one that it stands in; one that leads nowhere is a file that
/// cannot be read.
pub(crate) fn under(root: &Path) -> (Vec<PathBuf>, Unreadable) {
    let (mut files, mut unreadable) = (Vec::new(), Vec::new());
    let mut directories = vec![root.to_owned()];
    if fs::metadata(root).is_ok_and(|root| root.is_file()) {
        return (directories, unreadable);
    }
    while let Some(directory) = directories.pop() {
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) => {
                unreadable.push((directory, error));
                continue;
            }
        };
        for entry in entries {
            match entry.and_then(|entry| sort(&entry)) {
                Ok(Some(Entry::Directory(path))) => directories.push(path),
                Ok(Some(Entry::File(path))) => files.push(path),
                Ok(None) => {}
                Err(error) => unreadable.push((directory.clone(), error)),
            }
        }
    }
    files.sort_unstable();
    (files, unreadable)
}

enum Entry {
    Directory(PathBuf),
    File(PathBuf),
}

fn sort(entry: &DirEntry) -> io::Result<Option<Entry>> {
    let (kind, path) = (entry.file_type()?, entry.path());
    if kind.is_dir() {
        return Ok(Some(Entry::Directory(path)));
    }
    let is_file = if kind.is_symlink() {
        fs::metadata(&path).is_ok_and(|to| to.is_file()) || !path.exists()
    } else {
        kind.is_file()
    };
    Ok(is_file.then_some(Entry::File(path)))
}
