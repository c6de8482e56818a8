/// When a second copy of a node is started; drawn apart from everything else.
struct TwinPlan {
    /// How many copies are started yet.
    var left: Int
    /// How many a run has at the most: so much place is kept beside the members' nodes.
    let most: Int
    /// The member whose node is copied. One alone: of two, both would cosign two branches of each other's logs.
    var member: Int?
    var random: Randomness

    /// In an eighth of the runs in which charters stay as they are, no disk is put back and nobody misbehaves.
    init(seed: UInt64, _ options: SimulationOptions, charters: CharterPlan, restores: RestorePlan, misbehaving: Int) {
        random = Randomness(seed: seed ^ 0x7477_696e_73)
        let isThere = random.happens(125_000)
        let drawn = 1 + random.index(2)
        let isPossible = charters.meetings == 0 && restores.left == 0 && misbehaving == 0
        left = isPossible ? options.twins ?? (isThere ? drawn : 0) : 0
        most = left
    }
}
