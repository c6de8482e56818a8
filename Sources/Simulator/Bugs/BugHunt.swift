/// Looks in how many seeds a planted bug shows.
struct BugHunt: Sendable {
    let campaign: Campaign

    init(_ campaign: Campaign) {
        self.campaign = campaign
    }

    /// A seed that found the bug.
    struct Find: Sendable {
        let bug: Mistake
        /// How many seeds it took, from the first on.
        let after: UInt64
        let report: SimulationReport

        var text: String {
            let finding = report.violations.first ?? ""
            return "\(bug.name): found by seed \(report.seed), after \(after) seeds: \(finding)"
        }
    }

    /// The lowest seed that finds the bug; nil if none does.
    func first() async -> Find? {
        guard let bug = campaign.bug else { return nil }
        let found = Shared<SimulationReport?>(nil)
        await campaign.run { report in
            guard !report.violations.isEmpty else { return }
            found.withLock { found in
                if found.map({ report.seed < $0.seed }) ?? true { found = report }
            }
        } until: {
            found.withLock { $0 != nil }
        }
        return found.withLock { $0 }.map { Find(bug: bug, after: $0.seed - campaign.seeds.lowerBound + 1, report: $0) }
    }

    /// Runs all seeds and says in how many the bug shows, and how many it takes to meet one.
    func measure() async -> String {
        let reports = Shared<[SimulationReport]>([])
        await campaign.run { report in reports.withLock { $0.append(report) } }
        let all = reports.withLock { $0 }.sorted { $0.seed < $1.seed }
        let finds = all.indices.filter { !all[$0].violations.isEmpty }
        guard let first = finds.first, let name = campaign.bug?.name else {
            return "\(campaign.bug?.name ?? ""): not found in \(all.count) seeds"
        }
        // From every place, how many seeds until the next find.
        var waits: [Int] = []
        var next = finds.endIndex
        for place in all.indices.reversed() {
            if next > 0, finds[next - 1] >= place { next -= 1 }
            if next < finds.count { waits.append(finds[next] - place + 1) }
        }
        let median = waits.sorted()[waits.count / 2]
        let finding = all[first].violations.first ?? ""
        return "\(name): \(finds.count) of \(all.count) seeds, first \(first + 1), median wait \(median): \(finding)"
    }
}
