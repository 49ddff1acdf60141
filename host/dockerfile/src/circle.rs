//! Circles among the stages of a file.
//!
//! Owns the search only; must not know why a stage reads another.

use std::collections::BTreeMap;

use zoea_model::SourceSpan;

/// One stage reads another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edge {
    /// The index of the stage that is read.
    pub(crate) to: usize,
    /// Where.
    pub(crate) span: SourceSpan,
}

/// Finds an edge that closes a circle and leads forward or to its own stage; every circle has one.
///
/// Takes stages away that read nothing that is left, until none can be taken (Kahn's algorithm). From any that is
/// left, following what it reads must come back to a stage that was passed.
pub(crate) fn find(edges: &[Vec<Edge>]) -> Option<Edge> {
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); edges.len()];
    let mut open_reads: Vec<usize> = edges.iter().map(Vec::len).collect();
    for (index, own) in edges.iter().enumerate() {
        for edge in own {
            readers.get_mut(edge.to)?.push(index);
        }
    }
    let is_free = |(index, count): (usize, &usize)| (*count == 0).then_some(index);
    let mut free: Vec<usize> = open_reads.iter().enumerate().filter_map(is_free).collect();
    while let Some(index) = free.pop() {
        for reader in readers.get(index)? {
            let count = open_reads.get_mut(*reader)?;
            *count -= 1;
            if *count == 0 {
                free.push(*reader);
            }
        }
    }
    let is_left = |index: usize| open_reads.get(index).is_some_and(|count| *count > 0);
    let mut position = (0..edges.len()).find(|index| is_left(*index))?;
    let mut path: Vec<(usize, Edge)> = Vec::new();
    let mut passed = BTreeMap::new();
    while passed.insert(position, path.len()).is_none() {
        let edge = *edges.get(position)?.iter().find(|edge| is_left(edge.to))?;
        path.push((position, edge));
        position = edge.to;
    }
    let start = path.iter().position(|(index, _)| *index == position)?;
    path.get(start..)?.iter().find(|(index, edge)| edge.to >= *index).map(|(_, edge)| *edge)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges(reads: &[&[usize]]) -> Vec<Vec<Edge>> {
        let edge = |to: &usize| Edge { to: *to, span: SourceSpan::default() };
        reads.iter().map(|own| own.iter().map(edge).collect()).collect()
    }

    #[test]
    fn the_edge_that_leads_forward_is_named() {
        assert_eq!(find(&edges(&[&[], &[0], &[0, 1]])), None);
        assert_eq!(find(&edges(&[&[0]])).map(|edge| edge.to), Some(0));
        assert_eq!(find(&edges(&[&[], &[2, 0], &[1]])).map(|edge| edge.to), Some(2));
    }
}
