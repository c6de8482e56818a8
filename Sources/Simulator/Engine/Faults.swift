/// How hostile a run is. Every seed draws its own; chances are per million.
struct Faults: CustomStringConvertible {
    /// The shortest and the longest way of a message; milliseconds.
    var latency: ClosedRange<Int64> = 1...20
    /// The time of one write; milliseconds.
    var disk: ClosedRange<Int64> = 1...5
    /// That a message is lost, though its connection stays. (TCP does not do that; the protocol has to bear it anyway.)
    var losses: Int64 = 0
    /// That a message comes twice.
    var duplicates: Int64 = 0
    /// That a message overtakes the one before it.
    var swaps: Int64 = 0
    /// That a message breaks its connection; what is under way is lost.
    var breaks: Int64 = 0
    /// That a request for entries or documents fails.
    var failedRequests: Int64 = 0
    /// That a request is never answered.
    var silentRequests: Int64 = 0
    /// That a write fails. Half of those that fail may turn out to have been made after a crash.
    var failedWrites: Int64 = 0
    /// That a node crashes, each 100 ms.
    var crashes: Int64 = 0
    /// That a node crashes behind any one effect, or behind a write and before it hears of it.
    var crashesWithin: Int64 = 0
    /// That a link goes down, each 100 ms, in one direction or both; a down link loses what a connection cannot hold.
    var partitions: Int64 = 0
    /// How many of the partitions are of one direction only.
    var oneWay: Int64 = 300_000
    /// That a node publishes, each 100 ms.
    var publishing: Int64 = 100_000
    /// How far clocks are off; seconds either way.
    var clockSkew: Int64 = 0

    /// Nothing goes wrong.
    static let none = Faults()

    /// Whether messages are lost, doubled or swapped within a connection: then what they look like is nobody's fault.
    var garblesOrder: Bool { losses > 0 || duplicates > 0 || swaps > 0 }

    /// Draws a run's faults: each kind is absent, rare or frequent. Large alliances publish less, so that a run does not
    /// last longer than it is worth.
    static func drawn(_ random: inout Randomness, nodes: Int) -> Faults {
        func one(of choices: [Int64]) -> Int64 { choices[random.index(choices.count)] }
        var faults = Faults()
        faults.latency = 1...one(of: [5, 40, 400])
        faults.disk = 1...one(of: [2, 10, 80])
        faults.losses = one(of: [0, 0, 2_000, 30_000])
        faults.duplicates = one(of: [0, 0, 2_000, 30_000])
        faults.swaps = one(of: [0, 0, 2_000, 30_000])
        faults.breaks = one(of: [0, 2_000, 20_000])
        faults.failedRequests = one(of: [0, 20_000, 300_000])
        faults.silentRequests = one(of: [0, 10_000, 50_000])
        faults.failedWrites = one(of: [0, 10_000, 100_000])
        faults.crashes = one(of: [0, 2_000, 20_000])
        faults.crashesWithin = one(of: [0, 100, 1_000]) / Int64(max(1, nodes * nodes / 25))
        faults.partitions = one(of: [0, 2_000, 20_000])
        faults.oneWay = one(of: [0, 300_000, 1_000_000])
        faults.publishing = one(of: [20_000, 60_000, 200_000]) / Int64(max(1, nodes * nodes / 25))
        faults.clockSkew = one(of: [0, 2, 100, 155])
        return faults
    }

    /// The network and the machines behave from now on.
    var healed: Faults {
        var faults = self
        (faults.losses, faults.duplicates, faults.swaps) = (0, 0, 0)
        (faults.breaks, faults.failedRequests, faults.silentRequests, faults.failedWrites) = (0, 0, 0, 0)
        (faults.crashes, faults.crashesWithin, faults.partitions, faults.publishing) = (0, 0, 0, 0)
        return faults
    }

    var description: String {
        "latency \(latency) ms, disk \(disk) ms, lost \(losses), doubled \(duplicates), swapped \(swaps), breaks "
            + "\(breaks), failed requests \(failedRequests), silent \(silentRequests), failed writes \(failedWrites), "
            + "crashes \(crashes) and \(crashesWithin) within, partitions \(partitions), of them one-way \(oneWay), "
            + "publishing \(publishing) per million, clocks ±\(clockSkew) s"
    }
}
