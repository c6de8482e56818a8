/// How hostile a run is. Every seed draws its own; chances are per million.
struct Faults: CustomStringConvertible {
    /// The shortest and the longest way of a message; milliseconds.
    var latency: ClosedRange<Int64> = 1...20
    /// The time of one write; milliseconds.
    var disk: ClosedRange<Int64> = 1...5
    /// That a message breaks its connection. (Inside of a connection nothing is lost or overtaken, as in TCP.)
    var breaks: Int64 = 0
    /// That a request for entries or documents fails.
    var failedRequests: Int64 = 0
    /// That a request is never answered.
    var silentRequests: Int64 = 0
    /// That entries cannot be stored.
    var failedWrites: Int64 = 0
    /// That a node crashes, each 100 ms.
    var crashes: Int64 = 0
    /// That a link goes down, each 100 ms, in one direction or both; a down link loses what a connection cannot hold.
    var partitions: Int64 = 0
    /// That a node publishes, each 100 ms.
    var publishing: Int64 = 100_000
    /// How far clocks are off; seconds either way.
    var clockSkew: Int64 = 0

    /// Nothing goes wrong.
    static let none = Faults()

    /// Draws a run's faults: each kind is absent, rare or frequent.
    static func drawn(_ random: inout Randomness) -> Faults {
        var faults = Faults()
        faults.latency = 1...[5, 40, 400][random.index(3)]
        faults.disk = 1...[2, 10, 80][random.index(3)]
        faults.breaks = [0, 2_000, 20_000][random.index(3)]
        faults.failedRequests = [0, 20_000, 300_000][random.index(3)]
        faults.silentRequests = [0, 10_000, 50_000][random.index(3)]
        faults.failedWrites = [0, 10_000, 100_000][random.index(3)]
        faults.crashes = [0, 2_000, 20_000][random.index(3)]
        faults.partitions = [0, 2_000, 20_000][random.index(3)]
        faults.publishing = [20_000, 60_000, 200_000][random.index(3)]
        faults.clockSkew = [0, 2, 100][random.index(3)]
        return faults
    }

    /// The network and the machines behave from now on.
    var healed: Faults {
        var faults = self
        (faults.breaks, faults.failedRequests, faults.silentRequests, faults.failedWrites) = (0, 0, 0, 0)
        (faults.crashes, faults.partitions, faults.publishing) = (0, 0, 0)
        return faults
    }

    var description: String {
        "latency \(latency) ms, disk \(disk) ms, breaks \(breaks), failed requests \(failedRequests), silent "
            + "\(silentRequests), failed writes \(failedWrites), crashes \(crashes), partitions \(partitions), "
            + "publishing \(publishing) per million, clocks ±\(clockSkew) s"
    }
}
