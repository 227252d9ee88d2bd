namespace AsrPlatform.OnnxRuntime.Diagnostics;

/// <summary>What the binding's native objects are, as <see cref="OnnxRuntimeLibrary.LiveObjects"/> counts them.</summary>
public enum NativeKind
{
    Environment,
    Session,
    SessionOptions,
    RunOptions,
    Value,
    Binding,
    MemoryInfo,
    Allocator,
    PrePackedWeights,
    ProviderOptions,
}
