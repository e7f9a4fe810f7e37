use super::{NextToken, NextTokenPolicy};
use sparring_core::{Checkpoint, PolicyError};
use std::path::Path;
use std::{fs, io};

const FILE: &str = "next-token.bin";
const MAGIC: &[u8] = b"sparring next token 1\n";

impl<M: NextToken> Checkpoint for NextTokenPolicy<M> {
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
        let refuse = |why: &str| PolicyError::invalid(format!("{}: {why}", path.display()));
        let state = undamaged(&bytes).ok_or_else(|| refuse("damaged, or not a policy of this kind"))?;
        let numbers = state.strip_prefix(self.header().as_slice());
        let other = || refuse("saved by a model with another vocabulary or number of weights");
        self.read_state(numbers.ok_or_else(other)?).ok_or_else(other)
    }
}

/// Returns the bytes before the checksum, if it matches.
fn undamaged(bytes: &[u8]) -> Option<&[u8]> {
    let (body, sum) = bytes.split_last_chunk::<8>()?;
    (body.starts_with(MAGIC) && checksum(body) == u64::from_le_bytes(*sum)).then_some(body)
}

/// FNV-1a.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |h, &b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

impl<M: NextToken> NextTokenPolicy<M> {
    /// Writes header, steps, numbers and checksum; integers and floats are 8 bytes, little-endian.
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.header();
        out.extend_from_slice(&self.steps.to_le_bytes());
        for x in [&self.weights, &self.gradient, &self.first, &self.second].into_iter().flatten() {
            out.extend_from_slice(&x.to_le_bytes());
        }
        out.extend_from_slice(&checksum(&out).to_le_bytes());
        out
    }

    /// Magic, number of weights, size of the vocabulary, and the text of each token with its length: equal for models
    /// that can read each other's state.
    fn header(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        let mut number = |n: usize, text: &str| {
            out.extend_from_slice(&(n as u64).to_le_bytes());
            out.extend_from_slice(text.as_bytes());
        };
        let size = self.vocabulary_size();
        number(self.weights.len(), "");
        number(size, "");
        for token in 0..size as u32 {
            let text = self.model.decode(token);
            number(text.len(), text);
        }
        out
    }

    /// Reads the state after the header; `None` changes nothing.
    fn read_state(&mut self, bytes: &[u8]) -> Option<()> {
        let (words, []) = bytes.as_chunks::<8>() else { return None };
        let (steps, numbers) = words.split_first()?;
        let count = self.weights.len();
        if numbers.len() != 4 * count {
            return None;
        }
        let [weights, gradient, first, second] = [0, 1, 2, 3]
            .map(|i| numbers[i * count..][..count].iter().map(|b| f64::from_le_bytes(*b)).collect());
        (self.weights, self.gradient, self.first, self.second) = (weights, gradient, first, second);
        self.steps = u64::from_le_bytes(*steps);
        Some(())
    }
}
