/// Members that fork a log of one of them together; drawn apart from everything else.
struct CollusionPlan {
    /// How many others collude with the owner; nil for none.
    let helpers: Int?
    /// How many cosignatures make a quorum; nil for as few as a charter may ask for.
    let quorum: Int?
    var random: Randomness

    /// In an eighth of the runs in which nobody else misbehaves, charters stay as they are, and there are 5 to 13 members;
    /// always so few that two quorums share a replica that does not collude. Only ``SimulationOptions/colluders`` asks for more.
    init(seed: UInt64, _ options: SimulationOptions, charters: CharterPlan, nodes count: Int, misbehaving: Int) {
        random = Randomness(seed: seed ^ 0x636f_6c6c_7564_65)
        let isThere = random.happens(125_000)
        let others = count - 1
        let least = others / 2 + 1
        let quorum = least + random.index(max(1, others - least + 1))
        let bound = 2 * quorum - others
        // Three honest ones at least, so that there are two sides to tell two stories.
        let most = max(0, min(bound - 1, others - 3))
        let drawn = random.index(most + 1)
        if let asked = options.colluders {
            helpers = max(0, min(asked, count - 3))
            self.quorum = options.quorum
        } else if isThere, misbehaving == 0, options.byzantine == nil, charters.meetings == 0, (5...13).contains(count)
        {
            helpers = drawn
            self.quorum = quorum
        } else {
            (helpers, self.quorum) = (nil, options.quorum)
        }
    }
}
