import Replication

extension QuotaSettings {
    /// The defaults, with an operator's caps.
    init(_ limits: NodeSettings.MemberLimits) {
        self.init()
        entriesPerMinute = Int64(limits.entriesPerMinute)
        bytesPerMinute = Int64(limits.mebibytesPerMinute) << 20
        entriesPerDay = Int64(limits.entriesPerDay)
        bytesPerDay = Int64(limits.mebibytesPerDay) << 20
    }
}

extension QuotaCap {
    /// What sets it.
    var setting: Setting {
        switch self {
        case .entriesPerMinute: .memberEntriesPerMinute
        case .bytesPerMinute: .memberMebibytesPerMinute
        case .entriesPerDay: .memberEntriesPerDay
        case .bytesPerDay: .memberMebibytesPerDay
        }
    }

    /// What an operator can do.
    var advice: String {
        "it goes on by itself. If the member means it, raise \(setting.flag) and restart; if not, talk to it"
    }
}
