// In SpinLock.swift, beside the count.
