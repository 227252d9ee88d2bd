using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

// Every P/Invoke here is blittable: no marshalling stub stands between the caller and the shim.
[assembly: DisableRuntimeMarshalling]
[assembly: DefaultDllImportSearchPaths(DllImportSearchPath.AssemblyDirectory)]
