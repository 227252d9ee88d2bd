using System.Runtime.InteropServices;

namespace AsrPlatform.OnnxRuntime.Interop;

/// <summary>The functions of ONNX Runtime's C API that are used, by their positions in its table, failures made into exceptions.</summary>
/// <remarks>Handles are the caller's to keep alive (<see cref="Lease"/>).</remarks>
internal static unsafe class Ort
{
    private static nint* Table => OrtLibrary.Table;

    /// <summary>A null status is success; any other is released and thrown.</summary>
    /// <exception cref="OnnxRuntimeException">With the runtime's own message.</exception>
    public static void Check(nint status)
    {
        if (status != 0)
        {
            Throw(status);
        }
    }

    private static void Throw(nint status)
    {
        var code = (ErrorCode)((delegate* unmanaged<nint, int>)Table[1])(status);
        var message = Marshal.PtrToStringUTF8(((delegate* unmanaged<nint, nint>)Table[2])(status)) ?? "";
        Release(93, status);
        throw new OnnxRuntimeException(code, message);
    }

    /// <summary>One of the functions <c>void Release…(object)</c>.</summary>
    public static void Release(int position, nint native) => ((delegate* unmanaged<nint, void>)Table[position])(native);

    /// <summary>One of the functions <c>status Create…(out object)</c>.</summary>
    public static nint Create(int position)
    {
        nint made;
        Check(((delegate* unmanaged<nint*, nint>)Table[position])(&made));
        return made;
    }

    // What follows is named by the shape of its parameters: many functions share each.
    public static void Call(int position, nint native) => Check(((delegate* unmanaged<nint, nint>)Table[position])(native));

    public static void Call(int position, nint native, int value) => Check(((delegate* unmanaged<nint, int, nint>)Table[position])(native, value));

    public static void Call(int position, nint native, nint other) => Check(((delegate* unmanaged<nint, nint, nint>)Table[position])(native, other));

    public static void Call(int position, nint native, string text)
    {
        using var utf8 = new Utf8(text);
        Check(((delegate* unmanaged<nint, byte*, nint>)Table[position])(native, utf8.Pointer));
    }

    public static void Call(int position, nint native, string key, string value)
    {
        using var utf8Key = new Utf8(key);
        using var utf8Value = new Utf8(value);
        Check(((delegate* unmanaged<nint, byte*, byte*, nint>)Table[position])(native, utf8Key.Pointer, utf8Value.Pointer));
    }

    public static void Call(int position, nint native, string name, long value)
    {
        using var utf8 = new Utf8(name);
        Check(((delegate* unmanaged<nint, byte*, long, nint>)Table[position])(native, utf8.Pointer, value));
    }

    public static void Call(int position, nint native, string name, nint value)
    {
        using var utf8 = new Utf8(name);
        Check(((delegate* unmanaged<nint, byte*, nint, nint>)Table[position])(native, utf8.Pointer, value));
    }

    public static void CallWithPath(int position, nint native, string path)
    {
        using var text = new NativePath(path);
        Call(position, native, text.Pointer);
    }

    public static nint Get(int position, nint native)
    {
        nint value;
        Check(((delegate* unmanaged<nint, nint*, nint>)Table[position])(native, &value));
        return value;
    }

    public static int GetInt(int position, nint native)
    {
        int value;
        Check(((delegate* unmanaged<nint, int*, nint>)Table[position])(native, &value));
        return value;
    }

    public static long GetLong(int position, nint native)
    {
        long value;
        Check(((delegate* unmanaged<nint, long*, nint>)Table[position])(native, &value));
        return value;
    }

    /// <summary>A text that the runtime owns.</summary>
    public static string GetText(int position, nint native) => Marshal.PtrToStringUTF8(Get(position, native)) ?? "";

    /// <summary>A text that the runtime allocates for the caller.</summary>
    public static string GetAllocatedText(int position, nint native)
    {
        nint text;
        Check(((delegate* unmanaged<nint, nint, nint*, nint>)Table[position])(native, DefaultAllocator, &text));
        return TakeText(text) ?? "";
    }

    public static string? TakeText(nint text)
    {
        if (text == 0)
        {
            return null;
        }
        try
        {
            return Marshal.PtrToStringUTF8(text);
        }
        finally
        {
            Free(text);
        }
    }

    public static nint DefaultAllocator => Create(78);

    public static void Free(nint memory)
    {
        if (memory != 0)
        {
            Call(76, DefaultAllocator, memory);
        }
    }

    // Environment
    public static string[] AvailableProviders()
    {
        nint* names;
        int count;
        Check(((delegate* unmanaged<nint**, int*, nint>)Table[125])(&names, &count));
        try
        {
            var result = new string[count];
            for (var i = 0; i < count; i++)
            {
                result[i] = Marshal.PtrToStringUTF8(names[i]) ?? "";
            }
            return result;
        }
        finally
        {
            Check(((delegate* unmanaged<nint*, int, nint>)Table[126])(names, count));
        }
    }

    // Sessions
    public static nint CreateSession(nint environment, string path, nint options, nint weights)
    {
        using var text = new NativePath(path);
        nint made;
        Check(weights == 0
            ? ((delegate* unmanaged<nint, nint, nint, nint*, nint>)Table[7])(environment, text.Pointer, options, &made)
            : ((delegate* unmanaged<nint, nint, nint, nint, nint*, nint>)Table[168])(environment, text.Pointer, options, weights, &made));
        return made;
    }

    public static nint CreateSession(nint environment, ReadOnlySpan<byte> model, nint options, nint weights)
    {
        nint made;
        fixed (byte* bytes = model)
        {
            Check(weights == 0
                ? ((delegate* unmanaged<nint, byte*, nuint, nint, nint*, nint>)Table[8])(environment, bytes, (nuint)model.Length, options, &made)
                : ((delegate* unmanaged<nint, byte*, nuint, nint, nint, nint*, nint>)Table[169])(environment, bytes, (nuint)model.Length, options, weights, &made));
        }
        return made;
    }

    public static void Run(nint session, nint options, ReadOnlySpan<nint> inputNames, ReadOnlySpan<nint> inputs, ReadOnlySpan<nint> outputNames, Span<nint> outputs)
    {
        fixed (nint* inputName = inputNames, input = inputs, outputName = outputNames, output = outputs)
        {
            Check(((delegate* unmanaged<nint, nint, nint*, nint*, nuint, nint*, nuint, nint*, nint>)Table[9])(
                session, options, inputName, input, (nuint)inputs.Length, outputName, (nuint)outputs.Length, output));
        }
    }

    public static void RunWithBinding(nint session, nint options, nint binding) =>
        Check(((delegate* unmanaged<nint, nint, nint, nint>)Table[133])(session, options, binding));

    public static string GetName(int position, nint session, int index)
    {
        nint text;
        Check(((delegate* unmanaged<nint, nuint, nint, nint*, nint>)Table[position])(session, (nuint)index, DefaultAllocator, &text));
        return TakeText(text) ?? "";
    }

    public static nint GetTypeInfo(int position, nint session, int index)
    {
        nint made;
        Check(((delegate* unmanaged<nint, nuint, nint*, nint>)Table[position])(session, (nuint)index, &made));
        return made;
    }

    public static Dictionary<string, string> CustomMetadata(nint metadata)
    {
        nint* keys;
        long count;
        Check(((delegate* unmanaged<nint, nint, nint**, long*, nint>)Table[123])(metadata, DefaultAllocator, &keys, &count));
        var result = new Dictionary<string, string>(StringComparer.Ordinal);
        try
        {
            for (var i = 0; i < count; i++)
            {
                nint value;
                Check(((delegate* unmanaged<nint, nint, nint, nint*, nint>)Table[116])(metadata, DefaultAllocator, keys[i], &value));
                result[Marshal.PtrToStringUTF8(keys[i]) ?? ""] = TakeText(value) ?? "";
            }
        }
        finally
        {
            for (var i = 0; i < count; i++)
            {
                Free(keys[i]);
            }
            Free((nint)keys);
        }
        return result;
    }

    // Execution providers
    public static void AppendProvider(nint options, string name, IReadOnlyDictionary<string, string> settings)
    {
        using var utf8 = new Utf8(name);
        using var pairs = new Utf8Pairs(settings);
        fixed (nint* keys = pairs.Keys, values = pairs.Values)
        {
            Check(((delegate* unmanaged<nint, byte*, nint*, nint*, nuint, nint>)Table[216])(options, utf8.Pointer, keys, values, pairs.Count));
        }
    }

    public static nint RegisterOperators(nint options, string library)
    {
        using var utf8 = new Utf8(library);
        nint handle;
        Check(((delegate* unmanaged<nint, byte*, nint*, nint>)Table[29])(options, utf8.Pointer, &handle));
        return handle;
    }

    public static void UpdateCudaOptions(nint cudaOptions, IReadOnlyDictionary<string, string> settings)
    {
        using var pairs = new Utf8Pairs(settings);
        fixed (nint* keys = pairs.Keys, values = pairs.Values)
        {
            Check(((delegate* unmanaged<nint, nint*, nint*, nuint, nint>)Table[206])(cudaOptions, keys, values, pairs.Count));
        }
    }

    // Tensors
    public static nint CreateMemoryInfo(string name, OrtAllocatorType allocator, int device, OrtMemType memory)
    {
        using var utf8 = new Utf8(name);
        nint made;
        Check(((delegate* unmanaged<byte*, int, int, int, nint*, nint>)Table[68])(utf8.Pointer, (int)allocator, device, (int)memory, &made));
        return made;
    }

    public static nint CreateCpuMemoryInfo(OrtAllocatorType allocator, OrtMemType memory)
    {
        nint made;
        Check(((delegate* unmanaged<int, int, nint*, nint>)Table[69])((int)allocator, (int)memory, &made));
        return made;
    }

    /// <summary>One of the functions <c>status Create…(object, object, out object)</c>.</summary>
    public static nint Create(int position, nint first, nint second)
    {
        nint made;
        Check(((delegate* unmanaged<nint, nint, nint*, nint>)Table[position])(first, second, &made));
        return made;
    }

    public static nint CreateTensor(nint allocator, ReadOnlySpan<long> shape, int type)
    {
        nint made;
        fixed (long* dimensions = shape)
        {
            Check(((delegate* unmanaged<nint, long*, nuint, int, nint*, nint>)Table[48])(allocator, dimensions, (nuint)shape.Length, type, &made));
        }
        return made;
    }

    public static nint CreateTensor(nint memory, nint data, long bytes, ReadOnlySpan<long> shape, int type)
    {
        nint made;
        fixed (long* dimensions = shape)
        {
            Check(((delegate* unmanaged<nint, nint, nuint, long*, nuint, int, nint*, nint>)Table[49])(
                memory, data, (nuint)bytes, dimensions, (nuint)shape.Length, type, &made));
        }
        return made;
    }

    public static long[] GetDimensions(nint tensorInfo)
    {
        var shape = new long[Get(61, tensorInfo)];
        fixed (long* dimensions = shape)
        {
            Check(((delegate* unmanaged<nint, long*, nuint, nint>)Table[62])(tensorInfo, dimensions, (nuint)shape.Length));
        }
        return shape;
    }

    public static string[] GetSymbolicDimensions(nint tensorInfo)
    {
        var names = new nint[Get(61, tensorInfo)];
        fixed (nint* texts = names)
        {
            Check(((delegate* unmanaged<nint, nint*, nuint, nint>)Table[63])(tensorInfo, texts, (nuint)names.Length));
        }
        return Array.ConvertAll(names, text => Marshal.PtrToStringUTF8(text) ?? "");
    }

    // Bindings
    public static void Bind(int position, nint binding, nint name, nint value) =>
        Check(((delegate* unmanaged<nint, nint, nint, nint>)Table[position])(binding, name, value));

    public static string[] BoundOutputNames(nint binding)
    {
        byte* text;
        nuint* lengths;
        nuint count;
        Check(((delegate* unmanaged<nint, nint, byte**, nuint**, nuint*, nint>)Table[139])(binding, DefaultAllocator, &text, &lengths, &count));
        try
        {
            var names = new string[(int)count];
            var position = text;
            for (var i = 0; i < names.Length; i++)
            {
                names[i] = System.Text.Encoding.UTF8.GetString(position, (int)lengths[i]);
                position += lengths[i];
            }
            return names;
        }
        finally
        {
            if (count > 0)
            {
                Free((nint)text);
                Free((nint)lengths);
            }
        }
    }

    public static nint[] BoundOutputValues(nint binding)
    {
        nint* values;
        nuint count;
        Check(((delegate* unmanaged<nint, nint, nint**, nuint*, nint>)Table[140])(binding, DefaultAllocator, &values, &count));
        try
        {
            return new ReadOnlySpan<nint>(values, (int)count).ToArray();
        }
        finally
        {
            if (count > 0)
            {
                Free((nint)values);
            }
        }
    }

    /// <summary>The two functions that clear a binding return nothing.</summary>
    public static void ClearBound(int position, nint binding) => ((delegate* unmanaged<nint, void>)Table[position])(binding);
}
