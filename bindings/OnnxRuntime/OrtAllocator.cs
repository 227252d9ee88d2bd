using AsrPlatform.OnnxRuntime.Diagnostics;
using AsrPlatform.OnnxRuntime.Interop;

namespace AsrPlatform.OnnxRuntime;

/// <summary>Gives memory for tensors: of the processor, or of a session's device.</summary>
/// <remarks>Thread-safe. Values that it made keep it alive.</remarks>
public sealed class OrtAllocator : NativeObject
{
    private static readonly Lazy<OrtAllocator> Default = new(() => new OrtAllocator());

    /// <summary>The allocator that a session has for a place.</summary>
    /// <exception cref="OnnxRuntimeException">No execution provider of the session has memory there.</exception>
    public OrtAllocator(InferenceSession session, OrtMemoryInfo memInfo)
        : base(NativeKind.Allocator)
    {
        ArgumentNullException.ThrowIfNull(session);
        using var from = new Lease(session.Native);
        using var memory = new Lease(memInfo);
        Adopt(Ort.Create(131, from.Pointer, memory.Pointer));
        Keep(session.Native);
    }

    private OrtAllocator()
        : base(NativeKind.Allocator, owns: false) => Adopt(Ort.DefaultAllocator);

    /// <summary>The processor's allocator. Shared: not to be disposed of.</summary>
    public static OrtAllocator DefaultInstance => Default.Value;

    private protected override void Release(nint native) => Ort.Release(132, native);
}
