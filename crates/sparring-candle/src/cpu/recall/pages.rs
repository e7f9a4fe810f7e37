//! Recordings, on pages of limited memory.

use super::row::{Part, RowLayout};
use crate::model::ModelConfig;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Rows of a page. Few, since most of a short completion's page is unused.
pub(crate) const PAGE_ROWS: usize = 16;

/// The pages of one policy. Free pages are kept for reuse, since new memory costs as much as filling it.
#[derive(Debug)]
pub(super) struct Pool {
    layout: RowLayout,
    pages: Mutex<Pages>,
}

#[derive(Debug, Default)]
struct Pages {
    free: Vec<Vec<f32>>,
    /// Number of pages, free or in use, and the limit.
    count: usize,
    limit: usize,
}

impl Pages {
    fn trim(&mut self) {
        while self.count > self.limit && self.free.pop().is_some() {
            self.count -= 1;
        }
    }
}

impl Pool {
    pub(super) fn new(config: &ModelConfig) -> Self {
        Self { layout: RowLayout::new(config), pages: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn page(&self) -> usize {
        PAGE_ROWS * self.layout.len()
    }

    /// Sets the limit in bytes. Pages in use beyond it are freed when they are returned.
    pub(super) fn set_limit(&self, bytes: usize) {
        let mut pages = self.lock();
        pages.limit = bytes / (self.page() * size_of::<f32>());
        pages.trim();
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        self.lock().count * self.page() * size_of::<f32>()
    }

    /// Frees the pages that nobody uses.
    pub(super) fn free(&self) {
        let mut pages = self.lock();
        pages.count -= pages.free.len();
        pages.free = Vec::new();
    }

    fn take(&self) -> Option<Vec<f32>> {
        let mut pages = self.lock();
        if let Some(page) = pages.free.pop() {
            return Some(page);
        }
        if pages.count >= pages.limit {
            return None;
        }
        pages.count += 1;
        Some(vec![0.0; self.page()])
    }

    fn give(&self, pages: impl Iterator<Item = Vec<f32>>) {
        let mut own = self.lock();
        own.free.extend(pages);
        own.trim();
    }
}

/// Rows of a prompt, or of a completion. Prompts that begin alike have their first pages in common.
#[derive(Debug)]
pub(crate) struct Recording {
    pool: Arc<Pool>,
    pages: Vec<Arc<Vec<f32>>>,
    rows: usize,
    /// Rows that were recorded with another prompt.
    shared: usize,
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.pool.give(self.pages.drain(..).filter_map(Arc::into_inner));
    }
}

impl Recording {
    pub(super) fn new(pool: &Arc<Pool>) -> Self {
        Self { pool: Arc::clone(pool), pages: Vec::new(), rows: 0, shared: 0 }
    }

    /// A recording that begins with the first `rows` rows of this one (whole pages).
    pub(super) fn beginning(&self, rows: usize) -> Self {
        let pages = self.pages[..rows / PAGE_ROWS].to_vec();
        Self { pool: Arc::clone(&self.pool), pages, rows, shared: rows }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Makes room for `rows` rows in total, if there are pages.
    pub(super) fn grow(&mut self, rows: usize) -> bool {
        while self.pages.len() * PAGE_ROWS < rows {
            let Some(page) = self.pool.take() else { return false };
            self.pages.push(Arc::new(page));
        }
        self.rows = rows;
        true
    }

    fn get_at(&self, row: usize, at: Range<usize>) -> &[f32] {
        &self.pages[row / PAGE_ROWS][row % PAGE_ROWS * self.pool.layout.len()..][at]
    }

    fn put_at(&mut self, row: usize, at: Range<usize>, values: &[f32]) {
        let row = self.shared + row;
        let from = row % PAGE_ROWS * self.pool.layout.len();
        // Nobody else has the page yet.
        if let Some(page) = Arc::get_mut(&mut self.pages[row / PAGE_ROWS]) {
            page[from..][at].copy_from_slice(values);
        }
    }

    /// Writes a part of a row. Rows are counted from the first that is not shared.
    pub(crate) fn put(&mut self, row: usize, layer: usize, part: Part, values: &[f32]) {
        self.put_at(row, self.pool.layout.part(layer, part), values);
    }

    /// Writes the output of the last layer, as [`Recording::put`] does.
    pub(crate) fn put_output(&mut self, row: usize, values: &[f32]) {
        self.put_at(row, self.pool.layout.output(), values);
    }

    /// A part of a row; arbitrary if it was not written.
    pub(crate) fn get(&self, row: usize, layer: usize, part: Part) -> &[f32] {
        self.get_at(row, self.pool.layout.part(layer, part))
    }

    /// The output of the last layer; arbitrary if it was not written.
    pub(crate) fn output(&self, row: usize) -> &[f32] {
        self.get_at(row, self.pool.layout.output())
    }
}
