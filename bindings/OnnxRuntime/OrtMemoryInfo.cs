using AsrPlatform.OnnxRuntime.Diagnostics;
using AsrPlatform.OnnxRuntime.Interop;

namespace AsrPlatform.OnnxRuntime;

/// <summary>Says where memory lies: on the processor, on a card, in a provider's pinned memory.</summary>
/// <remarks>Immutable and thread-safe.</remarks>
public sealed class OrtMemoryInfo : NativeObject
{
    private static readonly Lazy<OrtMemoryInfo> Default =
        new(() => new OrtMemoryInfo(Ort.CreateCpuMemoryInfo(OrtAllocatorType.DeviceAllocator, OrtMemType.Default)));

    /// <param name="allocatorName">The runtime's name of the place: <c>Cpu</c>, <c>Cuda</c>, <c>CudaPinned</c> …</param>
    /// <param name="allocatorType">Who allocates there.</param>
    /// <param name="deviceId">Which of several devices.</param>
    /// <param name="memoryType">What the memory is for.</param>
    /// <exception cref="OnnxRuntimeException">The runtime knows no place of that name.</exception>
    public OrtMemoryInfo(string allocatorName, OrtAllocatorType allocatorType, int deviceId, OrtMemType memoryType)
        : this(Ort.CreateMemoryInfo(allocatorName, allocatorType, deviceId, memoryType))
    {
    }

    private OrtMemoryInfo(nint native)
        : base(NativeKind.MemoryInfo) => Adopt(native);

    /// <summary>The processor's memory. Shared: not to be disposed of.</summary>
    public static OrtMemoryInfo DefaultInstance => Default.Value;

    /// <summary>The runtime's name of the place.</summary>
    public string Name
    {
        get
        {
            using var self = new Lease(this);
            return Ort.GetText(71, self.Pointer);
        }
    }

    /// <summary>Which of several devices.</summary>
    public int Id
    {
        get
        {
            using var self = new Lease(this);
            return Ort.GetInt(72, self.Pointer);
        }
    }

    /// <summary>What the memory is for.</summary>
    public OrtMemType GetMemoryType()
    {
        using var self = new Lease(this);
        return (OrtMemType)Ort.GetInt(73, self.Pointer);
    }

    /// <summary>Who allocates there.</summary>
    public OrtAllocatorType GetAllocatorType()
    {
        using var self = new Lease(this);
        return (OrtAllocatorType)Ort.GetInt(74, self.Pointer);
    }

    private protected override void Release(nint native) => Ort.Release(94, native);
}
