//! The Generator/Solver loop over any game: probe, pool, phases, run directory, resume.
