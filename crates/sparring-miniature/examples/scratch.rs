use sparring_core::Seed;
use sparring_miniature::*;
fn main() {
    let w = World::new();
    println!("{} {}", w.training().len(), w.held_out().len());
    for i in 0..12u64 {
        let t = w.task(Split::Training, TaskShape::new(3, (i % 3) as usize), Seed::new(i));
        println!("{}\n   {:?}", serde_json::to_string(&t.tools).unwrap(), t.question);
        println!("   {}", serde_json::to_string(&t.calls).unwrap());
    }
    let mut vc = std::collections::BTreeMap::new();
    for t in w.training() {
        *vc.entry(t.spec().name.split('_').next().unwrap().to_string()).or_insert(0) += 1;
    }
    println!("{vc:?}");
    for e in Exam::ALL {
        println!("{} {}", e.name(), e.tasks(&w).len());
    }
}
