using AsrPlatform.OnnxRuntime.Diagnostics;
using AsrPlatform.OnnxRuntime.Interop;

namespace AsrPlatform.OnnxRuntime;

/// <summary>
/// Keeps weights in the order that the processor's kernels want, once for all sessions that are made with it. Only initializers that
/// the sessions share (<see cref="SessionOptions.AddInitializer"/>) are kept in it.
/// </summary>
/// <remarks>Thread-safe. Sessions that were made with it keep it alive.</remarks>
public sealed class PrePackedWeightsContainer : NativeObject
{
    public PrePackedWeightsContainer()
        : base(NativeKind.PrePackedWeights) => Adopt(Ort.Create(166));

    private protected override void Release(nint native) => Ort.Release(167, native);
}
