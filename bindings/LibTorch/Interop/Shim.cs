using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace AsrPlatform.LibTorch.Interop;

/// <summary>What comes back from the shim, made into tensors or exceptions.</summary>
/// <remarks>
/// Each method takes the tensors that the call read: they must outlive it, and nothing else holds a temporary one while its
/// handle is in native hands.
/// </remarks>
internal static unsafe class Shim
{
    public static torch.Tensor Wrap(nint handle, object? read = null, object? read2 = null, object? read3 = null, object? read4 = null)
    {
        GC.KeepAlive(read);
        GC.KeepAlive(read2);
        GC.KeepAlive(read3);
        GC.KeepAlive(read4);
        return handle != 0 ? new torch.Tensor(handle) : throw Error();
    }

    /// <summary>The outcome of an operation that changes <paramref name="self"/>, which is handed on.</summary>
    public static torch.Tensor Done(int status, torch.Tensor self, object? read = null, object? read2 = null, object? read3 = null)
    {
        GC.KeepAlive(read);
        GC.KeepAlive(read2);
        GC.KeepAlive(read3);
        Check(status);
        return self;
    }

    public static (torch.Tensor, torch.Tensor) Pair(int status, nint first, nint second, torch.Tensor read)
    {
        GC.KeepAlive(read);
        Check(status);
        return (new torch.Tensor(first), new torch.Tensor(second));
    }

    public static torch.Tensor[] Pieces(int count, ReadOnlySpan<nint> handles, torch.Tensor read)
    {
        GC.KeepAlive(read);
        if (count < 0)
        {
            throw Error();
        }
        var result = new torch.Tensor[count];
        for (var i = 0; i < count; i++)
        {
            result[i] = new torch.Tensor(handles[i]);
        }
        return result;
    }

    public static void Check(int status)
    {
        if (status != 0)
        {
            throw Error();
        }
    }

    [SuppressMessage("Usage", "CA2201:Do not raise reserved exception types", Justification = "The type that TorchSharp throws.")]
    public static ExternalException Error()
    {
        var message = Text(NativeMethods.asrt_last_error());
        return new ExternalException(message.Length > 0 ? message : "LibTorch failed and did not say why.");
    }

    public static string Text(byte* text) => Marshal.PtrToStringUTF8((nint)text) ?? "";

    /// <summary>The handles of tensors, in a buffer of the caller; null stands for "none".</summary>
    public static void Handles(ReadOnlySpan<torch.Tensor?> tensors, Span<nint> into)
    {
        for (var i = 0; i < tensors.Length; i++)
        {
            into[i] = tensors[i]?.Handle ?? 0;
        }
    }
}
