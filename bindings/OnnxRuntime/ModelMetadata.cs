using AsrPlatform.OnnxRuntime.Interop;

namespace AsrPlatform.OnnxRuntime;

/// <summary>What a model's file says of itself.</summary>
public sealed class ModelMetadata
{
    internal ModelMetadata(nint session)
    {
        var native = Ort.Get(111, session);
        try
        {
            ProducerName = Ort.GetAllocatedText(112, native);
            GraphName = Ort.GetAllocatedText(113, native);
            Domain = Ort.GetAllocatedText(114, native);
            Description = Ort.GetAllocatedText(115, native);
            Version = Ort.GetLong(117, native);
            GraphDescription = Ort.GetAllocatedText(158, native);
            CustomMetadataMap = Ort.CustomMetadata(native);
        }
        finally
        {
            Ort.Release(118, native);
        }
    }

    /// <summary>The program that wrote it.</summary>
    public string ProducerName { get; }

    public string GraphName { get; }

    public string Domain { get; }

    public string Description { get; }

    public string GraphDescription { get; }

    public long Version { get; }

    /// <summary>Whatever else its writer put in.</summary>
    public Dictionary<string, string> CustomMetadataMap { get; }
}
