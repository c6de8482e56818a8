/// A moment, in milliseconds since 1970-01-01 00:00 UTC.
///
/// The shell reads a clock and hands the moment over with each event; Replication itself never asks for the time.
/// Nothing is ordered by it: it paces retries, and it decides whether a cosignature's time lies too far ahead.
public struct Instant: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Milliseconds since 1970.
    public var milliseconds: Int64

    /// Creates a moment from milliseconds since 1970.
    public init(milliseconds: Int64) {
        self.milliseconds = milliseconds
    }

    /// Creates a moment from whole seconds since 1970, clamped where milliseconds cannot express it.
    public init(seconds: UInt64) {
        let (value, overflow) = seconds.multipliedReportingOverflow(by: 1000)
        self.milliseconds = overflow ? Int64.max : Int64(clamping: value)
    }

    /// Earlier or not.
    public static func < (left: Instant, right: Instant) -> Bool {
        left.milliseconds < right.milliseconds
    }

    /// The moment so many milliseconds later, clamped at the end of time.
    public static func + (instant: Instant, milliseconds: Int64) -> Instant {
        let (value, overflow) = instant.milliseconds.addingReportingOverflow(milliseconds)
        return Instant(milliseconds: overflow ? (milliseconds > 0 ? .max : .min) : value)
    }

    /// Milliseconds from the right moment to the left one, clamped.
    public static func - (left: Instant, right: Instant) -> Int64 {
        let (value, overflow) = left.milliseconds.subtractingReportingOverflow(right.milliseconds)
        return overflow ? (left > right ? .max : .min) : value
    }

    /// The number of milliseconds, in decimal.
    public var description: String {
        String(milliseconds)
    }
}
