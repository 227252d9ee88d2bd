using System.Runtime.InteropServices;
using AsrPlatform.OnnxRuntime.Diagnostics;

namespace AsrPlatform.OnnxRuntime.Interop;

/// <summary>
/// A native object of ONNX Runtime: released once, when it is disposed of or collected and no call uses it any more, and never before what
/// depends on it.
/// </summary>
public abstract class NativeObject : SafeHandle
{
    private static readonly long[] Live = new long[Enum.GetValues<NativeKind>().Length];
    private readonly NativeKind _kind;
    private readonly bool _owns;
    private List<SafeHandle>? _kept;

    private protected NativeObject(NativeKind kind, bool owns = true)
        : base(0, ownsHandle: true)
    {
        _kind = kind;
        _owns = owns;
    }

    /// <inheritdoc />
    public override bool IsInvalid => handle == 0;

    internal static long Count(NativeKind kind) => Interlocked.Read(ref Live[(int)kind]);

    private protected void Adopt(nint native)
    {
        SetHandle(native);
        Interlocked.Increment(ref Live[(int)_kind]);
    }

    /// <summary>Keeps another object alive for as long as this one lives.</summary>
    private protected void Keep(SafeHandle other)
    {
        _kept ??= [];
        _kept.EnsureCapacity(_kept.Count + 1);
        ObjectDisposedException.ThrowIf(other.IsClosed, other);
        var taken = false;
        other.DangerousAddRef(ref taken);
        _kept.Add(other);
    }

    private protected abstract void Release(nint native);

    /// <summary>What is freed after the native object itself.</summary>
    private protected virtual void ReleaseKept()
    {
        foreach (var other in _kept ?? [])
        {
            other.DangerousRelease();
        }
        _kept = null;
    }

    /// <inheritdoc />
    protected sealed override bool ReleaseHandle()
    {
        if (_owns)
        {
            Release(handle);
        }
        handle = 0;
        Interlocked.Decrement(ref Live[(int)_kind]);
        ReleaseKept();
        return true;
    }
}
