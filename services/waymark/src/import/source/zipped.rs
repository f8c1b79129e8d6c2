//! The files in a ZIP archive, one after the other as if they were one, each unpacked by itself where it is gzip. Of the
//! format (PKWARE's APPNOTE 6.3.10) what archives of exports have: members that are stored or deflated, not encrypted.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Take};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use flate2::read::{DeflateDecoder, MultiGzDecoder};
use indicatif::ProgressBar;

use crate::Usage;

const END: [u8; 4] = *b"PK\x05\x06";
const END_64: [u8; 4] = *b"PK\x06\x06";
const LOCATOR_64: [u8; 4] = *b"PK\x06\x07";
const ENTRY: [u8; 4] = *b"PK\x01\x02";
const LOCAL: [u8; 4] = *b"PK\x03\x04";
/// Bytes of an end record, and of the longest comment after it.
const END_BYTES: u64 = 22;
const COMMENT: u64 = 65_535;
/// The directory of an archive is read as a whole; one that is larger is none.
const DIRECTORY: u64 = 64 << 20;

/// How what gzip packed begins.
pub const GZIP: [u8; 2] = [0x1f, 0x8b];
/// How an archive begins.
pub const ZIP: [u8; 4] = LOCAL;

/// A member of an archive.
#[derive(Debug)]
struct Member {
    name: String,
    flags: u16,
    method: u16,
    packed: u64,
    at: u64,
}

/// The members of an archive, in the order of their names, in which exports number them.
pub struct Members {
    file: File,
    left: std::vec::IntoIter<Member>,
    open: Option<Box<dyn Read + Send>>,
    progress: ProgressBar,
    /// Whether the last byte that was read ends a line.
    ended: bool,
}

/// Opens an archive.
pub fn open(mut file: File, path: &Path, progress: &ProgressBar) -> Result<Members> {
    let mut members = directory(&mut file).with_context(|| format!("{} is a broken ZIP archive", path.display()))?;
    members.retain(|member| !member.name.ends_with('/'));
    members.sort_by(|a, b| a.name.cmp(&b.name));
    for Member { name, flags, method, .. } in &members {
        if flags & 1 != 0 {
            bail!(Usage(format!("{name} in {} is encrypted: unpack it first", path.display())));
        }
        if !matches!(method, 0 | 8) {
            bail!(Usage(format!("{name} in {} is packed by method {method}: unpack it first", path.display())));
        }
    }
    Ok(Members { file, left: members.into_iter(), open: None, progress: progress.clone(), ended: true })
}

impl Members {
    fn next(&mut self) -> io::Result<Option<Box<dyn Read + Send>>> {
        let Some(member) = self.left.next() else { return Ok(None) };
        let mut file = self.file.try_clone()?;
        file.seek(SeekFrom::Start(member.at))?;
        let mut header = [0; 30];
        file.read_exact(&mut header)?;
        if header[..4] != LOCAL {
            return Err(broken("a member is not where the directory says"));
        }
        // Its name and what is extra may be of other lengths than in the directory.
        let skipped = i64::from(short(&header, 26)) + i64::from(short(&header, 28));
        file.seek(SeekFrom::Current(skipped))?;
        let packed: Take<_> = self.progress.wrap_read(file).take(member.packed);
        let mut reader: Box<dyn Read + Send> =
            if member.method == 0 { Box::new(packed) } else { Box::new(DeflateDecoder::new(packed)) };
        let mut head = Vec::new();
        reader.by_ref().take(GZIP.len() as u64).read_to_end(&mut head)?;
        let is_gzip = head == GZIP;
        let whole = Cursor::new(head).chain(reader);
        Ok(Some(if is_gzip { Box::new(MultiGzDecoder::new(whole)) } else { Box::new(whole) }))
    }
}

impl Read for Members {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if self.open.is_none() {
                // What ends without ending its line is not to run on into the next.
                if !self.ended {
                    self.ended = true;
                    buffer[0] = b'\n';
                    return Ok(1);
                }
                // Every member is read through the same file, but never two at once.
                self.open = self.next()?;
            }
            let Some(open) = &mut self.open else { return Ok(0) };
            match open.read(buffer)? {
                0 => self.open = None,
                read => {
                    self.ended = buffer[read - 1] == b'\n';
                    return Ok(read);
                }
            }
        }
    }
}

fn broken(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

fn directory(file: &mut File) -> io::Result<Vec<Member>> {
    let length = file.seek(SeekFrom::End(0))?;
    let from = length.saturating_sub(END_BYTES + COMMENT);
    let tail = bytes(file, from, length - from)?;
    let at = tail.windows(4).rposition(|window| window == END).ok_or_else(|| broken("it has no end"))?;
    let end = tail.get(at..at + END_BYTES as usize).ok_or_else(|| broken("its end is cut off"))?;
    let (mut size, mut start) = (u64::from(long(end, 12)), u64::from(long(end, 16)));
    if let Some(locator) = at.checked_sub(20).and_then(|before| tail.get(before..at))
        && locator.starts_with(&LOCATOR_64)
    {
        let record = bytes(file, longest(locator, 8), 56)?;
        if !record.starts_with(&END_64) {
            return Err(broken("its end is not where it says"));
        }
        (size, start) = (longest(&record, 40), longest(&record, 48));
    }
    if size > DIRECTORY || start.checked_add(size).is_none_or(|end| end > length) {
        return Err(broken("its directory is not where it says"));
    }
    members(&bytes(file, start, size)?)
}

fn members(directory: &[u8]) -> io::Result<Vec<Member>> {
    let cut = || broken("its directory is cut off");
    let mut members = Vec::new();
    let mut rest = directory;
    while !rest.is_empty() {
        let entry = rest.get(..46).filter(|entry| entry.starts_with(&ENTRY)).ok_or_else(cut)?;
        let (name, extra, comment) = (short(entry, 28), short(entry, 30), short(entry, 32));
        let [name, extra, comment] = [name, extra, comment].map(usize::from);
        let mut member = Member {
            name: String::from_utf8_lossy(rest.get(46..46 + name).ok_or_else(cut)?).into_owned(),
            flags: short(entry, 8),
            method: short(entry, 10),
            packed: long(entry, 20).into(),
            at: long(entry, 42).into(),
        };
        let extra_bytes = rest.get(46 + name..46 + name + extra).ok_or_else(cut)?;
        widen(&mut member, long(entry, 24) == u32::MAX, extra_bytes);
        members.push(member);
        rest = rest.get(46 + name + extra + comment..).ok_or_else(cut)?;
    }
    Ok(members)
}

/// Takes numbers that do not fit into four bytes from where they stand instead, in this order.
fn widen(member: &mut Member, large: bool, mut extra: &[u8]) {
    while let Some(head) = extra.get(..4) {
        let (id, size) = (short(head, 0), usize::from(short(head, 2)));
        let Some(body) = extra.get(4..4 + size) else { return };
        extra = &extra[4 + size..];
        if id != 1 {
            continue;
        }
        let mut numbers = body.chunks_exact(8).map(|number| longest(number, 0));
        if large {
            numbers.next();
        }
        for number in [&mut member.packed, &mut member.at] {
            if *number == u64::from(u32::MAX)
                && let Some(wide) = numbers.next()
            {
                *number = wide;
            }
        }
    }
}

fn bytes(file: &mut File, from: u64, size: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(size).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == size { Ok(bytes) } else { Err(broken("it is cut off")) }
}

fn short(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn long(bytes: &[u8], at: usize) -> u32 {
    u32::from(short(bytes, at)) | u32::from(short(bytes, at + 2)) << 16
}

fn longest(bytes: &[u8], at: usize) -> u64 {
    u64::from(long(bytes, at)) | u64::from(long(bytes, at + 4)) << 32
}
