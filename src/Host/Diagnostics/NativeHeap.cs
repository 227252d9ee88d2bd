using System.Runtime.InteropServices;

namespace AsrPlatform.Host.Diagnostics;

/// <summary>The heap of the C library, where native libraries keep what they compute with. GNU's alone; elsewhere there is nothing to do.</summary>
/// <remarks>Safe for concurrent calls.</remarks>
internal static partial class NativeHeap
{
    /// <summary>Bytes that native code has allocated and not freed; null where the C library does not say.</summary>
    public static long? BytesInUse
    {
        get
        {
            try
            {
                var info = ReadInfo();
                return (long)(info.InUse + info.Mapped);
            }
            catch (Exception error) when (error is DllNotFoundException or EntryPointNotFoundException)
            {
                return null;
            }
        }
    }

    /// <summary>Gives pages back to the system that hold nothing any more: the heap keeps them by itself as long as something after them is in use.</summary>
    public static void GiveBack()
    {
        try
        {
            _ = Trim(0);
        }
        catch (Exception error) when (error is DllNotFoundException or EntryPointNotFoundException)
        {
            // Another C library, which keeps other habits.
        }
    }

    [LibraryImport("libc.so.6", EntryPoint = "malloc_trim")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Trim(nuint pad);

    [LibraryImport("libc.so.6", EntryPoint = "mallinfo2")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial HeapInfo ReadInfo();

    /// <summary>glibc's <c>struct mallinfo2</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private readonly struct HeapInfo
    {
        private readonly nuint _arena;
        private readonly nuint _freeChunks;
        private readonly nuint _fastChunks;
        private readonly nuint _mappedChunks;
        public readonly nuint Mapped;
        private readonly nuint _unused;
        private readonly nuint _fastBytes;
        public readonly nuint InUse;
        private readonly nuint _free;
        private readonly nuint _top;
    }
}
