using AsrPlatform.OnnxRuntime.Diagnostics;
using AsrPlatform.OnnxRuntime.Interop;

namespace AsrPlatform.OnnxRuntime;

/// <summary>How the CUDA execution provider is to work.</summary>
public sealed class OrtCUDAProviderOptions : NativeObject
{
    /// <exception cref="OnnxRuntimeException">This build of the runtime has no CUDA.</exception>
    public OrtCUDAProviderOptions()
        : base(NativeKind.ProviderOptions) => Adopt(Ort.Create(205));

    /// <summary>Sets options by the provider's names, such as <c>device_id</c> or <c>gpu_mem_limit</c>.</summary>
    /// <exception cref="OnnxRuntimeException">The provider does not know an option, or its value.</exception>
    public void UpdateOptions(Dictionary<string, string> providerOptions)
    {
        ArgumentNullException.ThrowIfNull(providerOptions);
        using var self = new Lease(this);
        Ort.UpdateCudaOptions(self.Pointer, providerOptions);
    }

    /// <summary>All options, as <c>name=value</c> with semicolons between them.</summary>
    public string GetOptions()
    {
        using var self = new Lease(this);
        return Ort.GetAllocatedText(207, self.Pointer);
    }

    private protected override void Release(nint native) => Ort.Release(208, native);
}
