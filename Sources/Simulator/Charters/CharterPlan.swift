/// Which members come and go in a run, and how often charters change; drawn apart from everything else.
struct CharterPlan {
    /// How often the regulators meet.
    let meetings: Int
    /// The members that the first charter does not list.
    let newcomers: [Int]
    /// The member that may be removed.
    let leaver: Int?

    static let none = CharterPlan(meetings: 0, newcomers: [], leaver: nil)

    /// The longest way between the first so many nodes, whoever of them is there.
    func diameter(of honest: Int, _ topology: Topology, of count: Int) -> Int {
        let leavers = [leaver].compactMap(\.self)
        let ways = [[], newcomers, leavers, newcomers + leavers].compactMap { gone in
            topology.diameter(of: (0..<honest).filter { !gone.contains($0) }, of: count)
        }
        return ways.max() ?? count
    }

    /// Draws a plan: charters change in half of the runs. Who comes and goes is such that the honest others stay connected.
    static func drawn(
        seed: UInt64, _ options: SimulationOptions, _ topology: Topology, nodes count: Int, honest: Int
    ) -> CharterPlan {
        var random = Randomness(seed: seed ^ 0x6368_6172_7465_7273)
        let isChanging = random.happens(500_000)
        let drawn = 1 + random.index(count > 13 ? 3 : 8)
        let meetings = options.charters ?? (isChanging ? drawn : 0)
        guard meetings > 0 else { return .none }
        let newcomer = random.happens(600_000) && count > 3 ? random.index(count) : nil
        let leaver = random.happens(600_000) && count > 4 ? random.index(count) : nil
        func stays(_ without: [Int]) -> Bool {
            topology.diameter(of: (0..<honest).filter { !without.contains($0) }, of: count) != nil
        }
        guard let newcomer, stays([newcomer]), honest > 2 else {
            return CharterPlan(meetings: meetings, newcomers: [], leaver: leaver.flatMap { stays([$0]) ? $0 : nil })
        }
        let goes = leaver.flatMap { $0 != newcomer && stays([$0]) && stays([newcomer, $0]) ? $0 : nil }
        return CharterPlan(meetings: meetings, newcomers: [newcomer], leaver: goes)
    }
}
