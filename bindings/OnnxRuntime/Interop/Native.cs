using System.Runtime.InteropServices;

namespace AsrPlatform.OnnxRuntime.Interop;

/// <summary>Text for native code: UTF-8 with a zero at its end.</summary>
internal readonly unsafe ref struct Utf8
{
    private readonly nint _memory;

    public Utf8(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        _memory = Marshal.StringToCoTaskMemUTF8(text);
    }

    public byte* Pointer => (byte*)_memory;

    public void Dispose() => Marshal.FreeCoTaskMem(_memory);
}

/// <summary>A path for native code: UTF-16 on Windows, UTF-8 elsewhere.</summary>
internal readonly ref struct NativePath
{
    public NativePath(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        Pointer = OperatingSystem.IsWindows() ? Marshal.StringToCoTaskMemUni(path) : Marshal.StringToCoTaskMemUTF8(path);
    }

    public nint Pointer { get; }

    public void Dispose() => Marshal.FreeCoTaskMem(Pointer);
}

/// <summary>Pairs of texts for native code.</summary>
internal readonly ref struct Utf8Pairs
{
    private readonly nint[] _keys;
    private readonly nint[] _values;

    public Utf8Pairs(IReadOnlyDictionary<string, string> pairs)
    {
        _keys = [.. pairs.Keys.Select(Marshal.StringToCoTaskMemUTF8)];
        _values = [.. pairs.Values.Select(Marshal.StringToCoTaskMemUTF8)];
    }

    public ReadOnlySpan<nint> Keys => _keys;

    public ReadOnlySpan<nint> Values => _values;

    public nuint Count => (nuint)_keys.Length;

    public void Dispose()
    {
        foreach (var text in (IEnumerable<nint>)[.. _keys, .. _values])
        {
            Marshal.FreeCoTaskMem(text);
        }
    }
}

/// <summary>Keeps a native object alive for the length of a call, whoever disposes of it meanwhile.</summary>
/// <exception cref="ObjectDisposedException">It was disposed of before.</exception>
internal readonly ref struct Lease
{
    private readonly SafeHandle _handle;

    public Lease(SafeHandle handle)
    {
        ArgumentNullException.ThrowIfNull(handle);
        ObjectDisposedException.ThrowIf(handle.IsClosed, handle);
        var taken = false;
        handle.DangerousAddRef(ref taken);
        _handle = handle;
    }

    public nint Pointer => _handle.DangerousGetHandle();

    public void Dispose() => _handle.DangerousRelease();
}
