use super::ToyPolicy;
use super::tokens::Vocabulary;
use sparring_core::{Checkpoint, PolicyError};
use std::path::Path;
use std::{fs, io};

const FILE: &str = "toy-policy.bin";
const MAGIC: &[u8] = b"sparring toy policy 1\n";

impl Checkpoint for ToyPolicy {
    fn save(&self, dir: &Path) -> Result<(), PolicyError> {
        let path = dir.join(FILE);
        let temporary = dir.join(format!("{FILE}.part"));
        let write = || -> io::Result<()> {
            fs::write(&temporary, self.to_bytes())?;
            fs::rename(&temporary, &path)
        };
        write().map_err(|source| PolicyError::io(&path, source))
    }

    fn restore(&mut self, dir: &Path) -> Result<(), PolicyError> {
        let path = dir.join(FILE);
        let bytes = fs::read(&path).map_err(|source| PolicyError::io(&path, source))?;
        let read = Self::from_bytes(&bytes).ok_or_else(|| {
            PolicyError::invalid(format!("{}: damaged, or not a toy policy", path.display()))
        })?;
        *self = read;
        Ok(())
    }
}

/// FNV-1a.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |h, &b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

impl ToyPolicy {
    /// Magic, sizes, words, numbers, checksum; integers and floats are 8 bytes, little-endian.
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        let words = &self.vocabulary.words;
        let sizes = [self.rows, self.positions, self.max_length, words.len()].map(|n| n as u64);
        for n in sizes.into_iter().chain([self.steps]) {
            out.extend_from_slice(&n.to_le_bytes());
        }
        for word in words {
            out.extend_from_slice(&(word.len() as u64).to_le_bytes());
            out.extend_from_slice(word.as_bytes());
        }
        for x in [&self.weights, &self.gradient, &self.first, &self.second].into_iter().flatten() {
            out.extend_from_slice(&x.to_le_bytes());
        }
        out.extend_from_slice(&checksum(&out).to_le_bytes());
        out
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (body, sum) = bytes.split_last_chunk::<8>()?;
        let mut rest = body.strip_prefix(MAGIC).filter(|_| checksum(body) == u64::from_le_bytes(*sum))?;
        let rows = take_size(&mut rest)?;
        let positions = take_size(&mut rest)?;
        let max_length = take_size(&mut rest)?;
        let count = take_size(&mut rest)?;
        let steps = u64::from_le_bytes(*take(&mut rest)?);
        let mut words = Vec::new();
        for _ in 0..count {
            let length = take_size(&mut rest)?;
            let (word, others) = rest.split_at_checked(length)?;
            words.push(String::from_utf8(word.to_vec()).ok()?);
            rest = others;
        }
        let vocabulary = Vocabulary { words };
        let v = vocabulary.len();
        let parameters = rows.checked_mul(positions)?.checked_mul(v)?.checked_add(v.checked_mul(v)?)?;
        if rest.len() != parameters.checked_mul(32)? {
            return None;
        }
        let mut numbers = || -> Option<Vec<f64>> {
            (0..parameters).map(|_| take(&mut rest).map(|b| f64::from_le_bytes(*b))).collect()
        };
        let (weights, gradient, first, second) = (numbers()?, numbers()?, numbers()?, numbers()?);
        Some(Self { vocabulary, rows, positions, max_length, weights, gradient, first, second, steps })
    }
}

fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8; 8]> {
    let (head, tail) = rest.split_first_chunk::<8>()?;
    *rest = tail;
    Some(head)
}

fn take_size(rest: &mut &[u8]) -> Option<usize> {
    usize::try_from(u64::from_le_bytes(*take(rest)?)).ok()
}
