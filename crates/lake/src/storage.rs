//! Where tables live: a URL or a path becomes an object store, and local disk becomes durable. Never knows what a table
//! is.

use std::fmt;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use url::Url;

use crate::error::LakeError;
use crate::options::LakeOptions;

/// The root under which every workspace has its table.
#[derive(Debug, Clone)]
pub(crate) struct Root {
    /// Ends with a slash.
    pub url: Url,
    /// Rooted at the scheme's own root (the file system or the bucket), not at `url`.
    pub store: Arc<dyn ObjectStore>,
}

impl Root {
    /// Opens `location`: a local path, or a URL such as `file:///var/lib/waymark` or `s3://bucket/prefix`.
    pub(crate) fn open(location: &str, options: &LakeOptions) -> std::result::Result<Self, LakeError> {
        let invalid = |reason: String| LakeError::InvalidLocation { location: location.to_owned(), reason };
        let mut url = if location.contains("://") {
            Url::parse(location).map_err(|error| invalid(error.to_string()))?
        } else {
            let path = std::path::absolute(location).map_err(|error| invalid(error.to_string()))?;
            Url::from_directory_path(&path).map_err(|()| invalid("the path must be absolute".to_owned()))?
        };
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        if let Some(store) = options.store.clone() {
            return Ok(Self { url, store });
        }
        if url.scheme() == "file" {
            let path = url.to_file_path().map_err(|()| invalid("not a path of this machine".to_owned()))?;
            fs::create_dir_all(&path).map_err(|error| invalid(format!("the folder cannot be created: {error}")))?;
            return Ok(Self { url, store: Arc::new(DurableFileSystem::default()) });
        }
        let settings = options.storage_options.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone()));
        let (store, _) = object_store::parse_url_opts(&url, settings).map_err(|error| invalid(error.to_string()))?;
        Ok(Self { url, store: Arc::from(store) })
    }
}

/// The local file system, where a successful put has reached the disk: content first, then the name, then the folder.
///
/// Plain `LocalFileSystem` leaves all three to the operating system, so a power cut could lose an acknowledged batch
/// or, worse, keep the name of a log entry without its content.
#[derive(Debug)]
pub(crate) struct DurableFileSystem {
    inner: LocalFileSystem,
    uploads: AtomicU64,
}

impl Default for DurableFileSystem {
    fn default() -> Self {
        Self { inner: LocalFileSystem::new(), uploads: AtomicU64::new(0) }
    }
}

impl fmt::Display for DurableFileSystem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Durable{}", self.inner)
    }
}

#[async_trait]
impl ObjectStore for DurableFileSystem {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let path = self.inner.path_to_filesystem(location)?;
        let create = match options.mode {
            PutMode::Create => true,
            PutMode::Overwrite => false,
            PutMode::Update(_) => return self.inner.put_opts(location, payload, options).await,
        };
        let first = self.uploads.fetch_add(1, Ordering::Relaxed);
        let location = path.display().to_string();
        tokio::task::spawn_blocking(move || put_durably(&path, first, &payload, create))
            .await
            .map_err(|error| Error::Generic { store: "local", source: Box::new(error) })?
            .map_err(|error| match error.kind() {
                ErrorKind::AlreadyExists => Error::AlreadyExists { path: location, source: Box::new(error) },
                _ => Error::Generic { store: "local", source: format!("{location}: {error}").into() },
            })?;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

fn put_durably(path: &FilePath, first: u64, payload: &PutPayload, create: bool) -> std::io::Result<()> {
    let (mut file, staging) = stage(path, first)?;
    let written = payload.iter().try_for_each(|part| file.write_all(part)).and_then(|()| file.sync_data());
    let written =
        written.and_then(|()| if create { fs::hard_link(&staging, path) } else { fs::rename(&staging, path) });
    if written.is_err() || create {
        // Either the name is linked to the content by now or the content is of no use: the staging name can go.
        let _ = fs::remove_file(&staging);
    }
    written?;
    sync_folder(path.parent().unwrap_or(path))
}

/// A new file beside `path` that nobody else writes, be it another lake in this process or a process in another
/// container: both may have the same id and count alike, so only the file system can tell which name is free. `first`
/// is where to begin looking.
fn stage(path: &FilePath, first: u64) -> std::io::Result<(File, PathBuf)> {
    for number in first.. {
        // A `#` and digits at the end make `LocalFileSystem` hide the file from listings.
        let staging = PathBuf::from(format!("{}#{number}", path.display()));
        match File::options().write(true).create_new(true).open(&staging) {
            Ok(file) => return Ok((file, staging)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) if error.kind() == ErrorKind::NotFound => create_folders_durably(path.parent().unwrap_or(path))?,
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

/// A new folder is durable only when its parent is synced too.
fn create_folders_durably(folder: &FilePath) -> std::io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        create_folders_durably(parent)?;
        match fs::create_dir(folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => sync_folder(parent)?,
        }
    }
    Ok(())
}

fn sync_folder(folder: &FilePath) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt as _;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn of_two_writers_of_one_name_one_wins_whole() {
        let folder = tempfile::tempdir().unwrap();
        // As two processes have them, down to the same count of uploads.
        let stores = [DurableFileSystem::default(), DurableFileSystem::default()];
        for round in 0..200 {
            let location = Path::from_absolute_path(folder.path().join(format!("log/{round}.json"))).unwrap();
            let content = [vec![b'a'; 10_000], vec![b'b'; 10_000]];
            let put = |writer: usize| {
                let payload = PutPayload::from(content[writer].clone());
                stores[writer].put_opts(&location, payload, PutOptions::from(PutMode::Create))
            };
            let (one, other) = tokio::join!(put(0), put(1));
            let winner = match (one, other) {
                (Ok(_), Err(Error::AlreadyExists { .. })) => 0,
                (Err(Error::AlreadyExists { .. }), Ok(_)) => 1,
                both => panic!("{both:?}"),
            };
            let stored = stores[0].get(&location).await.unwrap().bytes().await.unwrap();
            assert!(stored == content[winner], "round {round}");
        }
        let left = std::fs::read_dir(folder.path().join("log")).unwrap().count();
        assert_eq!(left, 200, "no staging file is left");
    }
}
