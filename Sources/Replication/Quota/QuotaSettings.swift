/// How much of this node one member's log may take. All of it delays, and nothing is ever dropped for it.
///
/// Two kinds (decision 0024). A *share* bounds what a log takes while somebody else's publications are coming in, and
/// nothing otherwise: so a member that publishes without end costs the others little, and a first sync runs at full
/// speed. *Caps* bound what a log may grow by, whoever else is there, by averages over minutes and over a day; what a
/// quorum of the others has cosigned already is beyond them, since a node that begins has to catch up with all of it.
public struct QuotaSettings: Hashable, Sendable {
    /// What a log may take of this node in ``shareWindow`` while others wait, in units: one an entry, and
    /// ``rangeUnits`` for each range or head that is stored. It may be taken at once.
    public var share: Int64 = 4_096
    /// Milliseconds.
    public var shareWindow: Int64 = 8_000
    /// What storing and cosigning cost besides the entries: as much as so many entries.
    public var rangeUnits: Int64 = 16
    /// Bytes of entries that count as one entry, where they are longer than usual.
    public var bytesPerUnit: Int64 = 2_048
    /// How long after a publication its kind of traffic counts as waiting; milliseconds.
    public var contention: Int64 = 1_000
    /// Logs that are beyond their share leave so many places for fetching to the others.
    public var reservedPlaces: Int = 1

    /// Most entries of one log a minute, on average over ``minuteWindow``; 0 for no cap.
    public var entriesPerMinute: Int64 = 100_000
    /// Most bytes of one log a minute, entries and documents by themselves, averaged likewise; 0 for no cap.
    public var bytesPerMinute: Int64 = 100 << 20
    /// Most entries of one log a day; 0 for no cap.
    public var entriesPerDay: Int64 = 5_000_000
    /// Most bytes of one log a day, entries and documents by themselves; 0 for no cap.
    public var bytesPerDay: Int64 = 8 << 30
    /// Over which the caps a minute are averages: so much may come at once; milliseconds.
    public var minuteWindow: Int64 = 600_000
    /// After this time at the latest a log that waits is looked at again; milliseconds.
    public var recheck: Int64 = 5_000
    /// Between two reports that a cap holds up one log, at least; milliseconds.
    public var reportInterval: Int64 = 3_600_000

    /// The defaults.
    public init() {}

    /// What is wrong with these settings, or nil if they can be used.
    var problem: String? {
        if !Allowance.windows.contains(minuteWindow) { return "a window is not between 1 ms and a day" }
        let caps = [atOnce(entriesPerMinute), atOnce(bytesPerMinute), entriesPerDay, bytesPerDay]
        if caps.contains(where: { $0 < 0 || $0 > Allowance.amounts.upperBound }) {
            return "a cap is negative, or allows more than 64 GiB, or as many entries, at once"
        }
        if !Allowance.amounts.contains(share) || !Allowance.windows.contains(shareWindow) {
            return "the share or its window is out of range"
        }
        if rangeUnits < 0 || bytesPerUnit < 1 || reservedPlaces < 0 { return "a unit is out of range" }
        let times = [contention, recheck, reportInterval]
        return times.contains(where: { $0 <= 0 || $0 > 86_400_000 }) ? "a time is not between 1 ms and a day" : nil
    }
}

extension QuotaSettings {
    /// What a cap a minute allows at once.
    func atOnce(_ perMinute: Int64) -> Int64 {
        let (product, overflow) = perMinute.multipliedReportingOverflow(by: minuteWindow)
        return overflow ? .max : perMinute > 0 ? max(1, product / 60_000) : perMinute
    }
}

/// Which cap holds a log up.
public enum QuotaCap: String, Hashable, Sendable, CaseIterable {
    /// ``QuotaSettings/entriesPerMinute``
    case entriesPerMinute
    /// ``QuotaSettings/bytesPerMinute``
    case bytesPerMinute
    /// ``QuotaSettings/entriesPerDay``
    case entriesPerDay
    /// ``QuotaSettings/bytesPerDay``
    case bytesPerDay
}
