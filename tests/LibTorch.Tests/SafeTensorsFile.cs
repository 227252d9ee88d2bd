using System.Buffers.Binary;
using System.Text.Json;

namespace AsrPlatform.LibTorch.Tests;

/// <summary>The tensors of a small, trusted safetensors file.</summary>
internal static class SafeTensorsFile
{
    public static Dictionary<string, Tensor> Read(string path)
    {
        var file = File.ReadAllBytes(path);
        var start = 8 + (int)BinaryPrimitives.ReadInt64LittleEndian(file);
        using var header = JsonDocument.Parse(file.AsMemory(8, start - 8));
        var result = new Dictionary<string, Tensor>();
        foreach (var entry in header.RootElement.EnumerateObject().Where(e => e.Name != "__metadata__"))
        {
            var type = entry.Value.GetProperty("dtype").GetString() switch
            {
                "F32" => float32,
                "I64" => int64,
                var other => throw new NotSupportedException($"{path}: {other}"),
            };
            var shape = entry.Value.GetProperty("shape").EnumerateArray().Select(e => e.GetInt64()).ToArray();
            var range = entry.Value.GetProperty("data_offsets").EnumerateArray().Select(e => e.GetInt32()).ToArray();
            var made = empty(shape, type);
            file.AsSpan(start + range[0], range[1] - range[0]).CopyTo(made.bytes);
            result.Add(entry.Name, made);
        }
        return result;
    }
}
