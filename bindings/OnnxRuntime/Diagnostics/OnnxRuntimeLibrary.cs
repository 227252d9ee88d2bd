using AsrPlatform.OnnxRuntime.Interop;

namespace AsrPlatform.OnnxRuntime.Diagnostics;

/// <summary>What the binding found, for <c>asr doctor</c> and tests. The package has none of this.</summary>
/// <remarks>Thread-safe. Everything but <see cref="TryLoad"/> and <see cref="LiveObjects"/> throws <see cref="DllNotFoundException"/> where ONNX Runtime is missing.</remarks>
public static unsafe class OnnxRuntimeLibrary
{
    /// <summary>The file that was loaded.</summary>
    public static string Path
    {
        get
        {
            _ = OrtLibrary.Table;
            return OrtLibrary.Path!;
        }
    }

    /// <summary>The version that the library gives itself, such as <c>1.30.0</c>.</summary>
    public static string Version
    {
        get
        {
            _ = OrtLibrary.Table;
            return OrtLibrary.Version!;
        }
    }

    /// <summary>Loads ONNX Runtime, or says why that fails and what to do.</summary>
    public static bool TryLoad(out string? problem)
    {
        try
        {
            _ = OrtLibrary.Table;
            problem = null;
            return true;
        }
        catch (DllNotFoundException e)
        {
            problem = e.Message;
            return false;
        }
    }

    /// <summary>Native objects of a kind that are not released yet.</summary>
    public static long LiveObjects(NativeKind kind) => NativeObject.Count(kind);
}
